/** Whole trainings, as YAML through the command line, against TRL's own logs. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../child-environment.ts";
import { declareCases, findModelFolder, listRuns } from "./folder.ts";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const readRows = async (path: string): Promise<{ [key: string]: number }[]> =>
  (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { [key: string]: number });

describe.each(declareCases("runs", listRuns()))("runs/$name", ({ path: source, method, model }) => {
  it("logs TRL's losses, norms and rates at every step", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spar-parity-"));
    try {
      // TRL's file, and the keys that its makers left out.
      const recipe = `${await readFile(join(source, "config.yaml"), "utf8")}
model_name_or_path: ${findModelFolder(model)}
datasets: [{path: json, data_files: ${join(source, "data.jsonl")}}]
train_sampling_strategy: sequential
gradient_checkpointing: false
report_to: none
output_dir: ${join(folder, "out")}
save_strategy: "no"
`;
      await writeFile(join(folder, "recipe.yaml"), recipe);
      await promisify(execFile)(process.execPath, [cli, method, "--config", join(folder, "recipe.yaml"), "--json"], {
        env: childEnvironment,
      });
      const ours = (await readRows(join(folder, "out", "metrics.jsonl"))).filter((row) => "loss" in row);
      const theirs = await readRows(join(source, "log.jsonl"));
      expect(ours.length).toBe(theirs.length);
      for (const [i, expected] of theirs.entries()) {
        const close = (key: string, relative: number): void => {
          const difference = Math.abs(ours[i][key] - expected[key]) / Math.max(Math.abs(expected[key]), 0.01);
          expect(difference, `${key} at step ${i + 1}: ${ours[i][key]} against ${expected[key]}`).toBeLessThan(relative);
        };
        expect(ours[i]["step"]).toBe(expected["step"]);
        close("loss", 2e-4);
        close("grad_norm", 1e-3);
        close("learning_rate", 1e-6);
        close("num_tokens", 1e-9);
        for (const key of Object.keys(expected).filter((name) => name.startsWith("rewards/"))) {
          const difference = Math.abs(ours[i][key] - expected[key]);
          const bound = Math.max(1e-4, 1e-3 * Math.abs(expected[key]));
          expect(difference, `${key} at step ${i + 1}: ${ours[i][key]} against ${expected[key]}`).toBeLessThan(bound);
        }
        for (const key of ["logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected"]) if (key in expected) close(key, 1e-4);
        for (const key of ["entropy", "mean_token_accuracy", "accuracy", "margin", "min_reward", "mean_reward", "max_reward"])
          if (key in expected) close(key, 2e-3);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
