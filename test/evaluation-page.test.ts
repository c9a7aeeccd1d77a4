/** docs/evaluation.md as a reader follows it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { describePage } from "./run-page.ts";

const readReport = (path: string): { [key: string]: unknown } => JSON.parse(readFileSync(path, "utf8")) as { [key: string]: unknown };

describePage("docs/evaluation.md", {
  shorten: { "npx spar sft": "--max_steps 4" },
  afterwards: {
    "the reports have what the table of the page promises": (folder) => {
      const [wins, reward] = ["eval", "eval-2"].map((name) => readReport(join(folder, "runs", name, "report.json")));
      const keys = "n voids win tie lose win_rate interval length_controlled length_controlled_interval position_bias self_agreement";
      expect(Object.keys(wins ?? {})).toEqual(expect.arrayContaining(keys.split(" ")));
      expect(wins).toMatchObject({ n: 64, voids: 0 });
      expect(reward).not.toHaveProperty("win_rate");
      expect(reward).toMatchObject({ reward_funcs: ["rule:sentiment"], reference: "models/tiny-reviews" });
    },
    "the comparison names both runs": (folder) => {
      expect(readReport(join(folder, "runs/compare/comparison.json"))["runs"]).toMatchObject([
        { name: "runs/eval" },
        { name: "runs/eval-2" },
      ]);
    },
  },
});
