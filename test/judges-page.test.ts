/** docs/judges.md as a reader follows it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { describePage } from "./run-page.ts";

describePage("docs/judges.md", {
  afterwards: {
    "the agreement is one row, and its accuracy is what the shipped pairs were made by": (folder) => {
      const row = JSON.parse(readFileSync(join(folder, "agreement.jsonl"), "utf8")) as { n: number; voids: number; accuracy: number };
      const pairs = readFileSync(join(folder, "recipes/tiny/data/pairs.jsonl"), "utf8").trim().split("\n").length;
      expect(row).toMatchObject({ n: pairs, voids: 0 });
      expect(row.accuracy).toBeGreaterThan(0.9);
    },
    "the report stands alone": (folder) => {
      const page = readFileSync(join(folder, "judge.html"), "utf8");
      expect(page).toContain("<svg xmlns");
      expect(page).not.toMatch(/src=|href=|NaN/);
    },
  },
});
