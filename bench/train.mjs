/** Runs one of spar's trainers on rows made for the purpose and times its steps from end to end, as the peers' scripts do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configSchemas, createCpuBackend } from "../dist/index.js";

/** Seconds of each step after the warm-up; `rows` become a JSON-lines data set. */
export async function timeTraining(method, train, rows, args, keys) {
  const folder = mkdtempSync(join(tmpdir(), "spar-bench-"));
  const backend = createCpuBackend({ threads: args.threads });
  try {
    writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const config = configSchemas[method].parse({
      model_name_or_path: args.model,
      datasets: [{ path: "json", data_files: join(folder, "rows.jsonl") }],
      output_dir: join(folder, "out"),
      per_device_train_batch_size: args.batch,
      gradient_accumulation_steps: 1,
      max_steps: Math.max(1, args.warmup) + args.steps,
      gradient_checkpointing: args.checkpointing === 1,
      max_grad_norm: 1,
      logging_steps: 1,
      save_strategy: "no",
      report_to: "none",
      ...keys,
    });
    const ends = [];
    const tracker = { metrics: () => ends.push(performance.now()), samples() {}, event() {}, progress() {}, close: async () => {} };
    await train(config, { tracker, signal: new AbortController().signal, resume: false, backend });
    const seconds = ends.slice(1).map((end, i) => (end - ends[i]) / 1000);
    return seconds.slice(Math.max(1, args.warmup) - 1).slice(0, args.steps);
  } finally {
    backend.close();
    rmSync(folder, { recursive: true });
  }
}
