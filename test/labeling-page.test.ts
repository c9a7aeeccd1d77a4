/** docs/labeling.md as a reader follows it, fewer steps of training. The page itself, in a browser: test/browser/. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { labelByProtocol } from "./label-by-protocol.ts";
import { describePage } from "./run-page.ts";

const read = (folder: string, name: string): string[] => readFileSync(join(folder, name), "utf8").trim().split("\n");

describePage("docs/labeling.md", {
  shorten: {
    "npx spar generate": "--max-new-tokens 3",
    "npx spar label": "--no-open --port 0",
    "npx spar reward": "--max_steps 1 --eval_strategy no",
    "npx spar ppo": "--total_episodes 8 --per_device_train_batch_size 2 --response_length 4 --num_sample_generations 0",
  },
  endless: { "npx spar label": "Ctrl-C stops." },
  meanwhile: {
    async "npx spar label"(output) {
      const [, origin = "", token = ""] = /(http:\/\/127\.0\.0\.1:\d+)\/\?token=(\S+)/.exec(output) ?? [];
      const decide = ({ answers: [left = "", right = ""] }: { answers: readonly string[] }) =>
        ({ choice: left.length > right.length ? "left" : "right" }) as const;
      expect(await labelByProtocol({ origin, token, annotator: "Ada", decide })).toBeGreaterThan(150);
    },
  },
  afterwards: {
    "every label became a pair": (folder) => {
      const pairs = read(folder, "pairs.jsonl").map((line) => JSON.parse(line) as { chosen: string; rejected: string });
      expect(pairs).toHaveLength(read(folder, "labels.jsonl").length);
      expect(pairs).toHaveLength(read(folder, "tasks.jsonl").length);
      expect(pairs.filter(({ chosen, rejected }) => chosen.length < rejected.length)).toEqual([]);
    },
    "Ctrl-C offers the next commands": (_, outputs) => {
      expect(outputs.get("npx spar label --data tasks.jsonl")).toMatch(/spar reward .*pairs\.jsonl/);
    },
  },
});
