/** docs/tracking.md as a reader follows it. The programs that read the files: test/peers/trackers.test.ts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { describePage } from "./run-page.ts";

const list = (path: string): string[] => readdirSync(path, { recursive: true, encoding: "utf8" });

describePage("docs/tracking.md", {
  afterwards: {
    "each tracker has its files": (folder) => {
      const run = join(folder, "runs/watched");
      expect(list(join(run, "runs")).filter((name) => name.startsWith("events.out.tfevents."))).toHaveLength(1);
      expect(list(join(run, "wandb")).filter((name) => name.endsWith(".wandb"))).toHaveLength(1);
      expect(list(join(run, "trackers")).toSorted()).toEqual(["trackio.json", "wandb.json"]);
      const fragments = list(join(folder, "runs/trackio/inbox")).filter((name) => name.endsWith(".jsonl"));
      const rows = fragments.flatMap((name) =>
        readFileSync(join(folder, "runs/trackio/inbox", name), "utf8")
          .trim()
          .split("\n"),
      );
      const metrics = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
      expect(rows.map((row) => (JSON.parse(row) as { run: string }).run)).toEqual(metrics.map(() => "first"));
    },
    "the run says how W&B's files are sent": (_folder, outputs) => {
      const [output] = [...outputs.values()];
      expect(output).toMatch(/to send it: wandb sync runs\/watched\/wandb\/offline-run-\d{8}_\d{6}-\w{8}/);
    },
  },
});
