/** How long a run's checkpoints and its model take to be written here. */
import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFileAtomic } from "../checkpoint/index.ts";
import type { ModelSizes } from "./model-sizes.ts";

/** Enough to tell how fast a disk is: the first megabytes go faster. */
const mostBytes = 2 ** 28;

export interface SavingConfig {
  readonly save_strategy: "no" | "steps" | "epoch";
  readonly save_steps: number;
  readonly save_only_model: boolean;
}

/** How often something happens in a run. `every`: steps; below 1 a share of all steps. */
export function countTimes(strategy: "no" | "steps" | "epoch", every: number, steps: number, epochs: number): number {
  if (strategy === "no") return 0;
  if (strategy === "epoch") return Math.ceil(epochs);
  return Math.floor(steps / Math.max(1, every < 1 ? every * steps : every));
}

/** Measured: a file of the model's size (256 MB at most) is written to the temporary folder's disk and synced, as a checkpoint is. */
export async function forecastSaving(config: SavingConfig, sizes: ModelSizes, steps: number, epochs: number): Promise<number> {
  const modelBytes = 4 * sizes.weights;
  const due = countTimes(config.save_strategy, config.save_steps, steps, epochs);
  // The last step is saved in any case.
  const checkpoints = config.save_strategy === "no" ? 0 : Math.max(1, due);
  const bytes = modelBytes * (1 + checkpoints * (config.save_only_model ? 1 : 3));
  // Disks may be faster with zeros than with weights.
  const probe = randomFillSync(new Uint8Array(Math.min(modelBytes, mostBytes)));
  const folder = await mkdtemp(join(tmpdir(), "spar-doctor-"));
  try {
    const started = performance.now();
    await writeFileAtomic(join(folder, "weights"), probe);
    return ((performance.now() - started) / 1000) * (bytes / probe.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
