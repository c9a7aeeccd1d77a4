/** Runs a recipe: claims its folder, opens its trackers, calls the method's training function, records how it ended. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { acquireRunLock, createFanOut, createTrackers, lockFileName, openRunDirectory, readRunRecord, type NamedTracker, type Tracker } from "../tracking/index.ts";
import type { TrainingContext, TrainingOutcome } from "../trainers/configs.ts";
import type { ResolvedRecipe } from "./load.ts";
import { claimOutputDirectory, makeOutputDirectory, readLastMetrics } from "./output-directory.ts";

/** Calls the training function of the recipe's method; nothing else of the run is touched. */
export async function trainMethod(recipe: ResolvedRecipe, context: TrainingContext): Promise<TrainingOutcome> {
  const { pretrain, trainPPO, trainReward, trainSFT } = await import("../trainers/index.ts");
  switch (recipe.method) {
    case "pretrain":
      return pretrain(recipe.config, context);
    case "sft":
      return trainSFT(recipe.config, context);
    case "reward":
      return trainReward(recipe.config, context);
    case "ppo":
      return trainPPO(recipe.config, context);
  }
}

export type RunRecipeOptions = {
  /** spar's version, for run.json. */
  version: string;
  signal: AbortSignal;
  /** Trackers besides the run's folder and the recipe's `report_to`: a console, an array in a test. */
  trackers?: readonly NamedTracker[];
  /** The id of the run that this one is a stage of. */
  parent?: string;
  /** Stands in for `trainMethod`. */
  train?: typeof trainMethod;
};

/** How far a run goes; a finished run that is resumed with other values is a longer run, not a finished one. */
const extentKeys = ["max_steps", "num_train_epochs", "total_episodes"];

async function isAlreadyFinished(folder: string, config: { readonly [key: string]: unknown }): Promise<boolean> {
  if (readRunRecord(folder)?.status !== "finished") return false;
  const { parse } = await import("yaml");
  try {
    const earlier: unknown = parse(readFileSync(join(folder, "config.yaml"), "utf8"));
    if (typeof earlier !== "object" || earlier === null) return false;
    const values = earlier as { [key: string]: unknown };
    return extentKeys.every((key) => (values[key] ?? null) === (config[key] ?? null));
  } catch {
    return false;
  }
}

/**
 * @throws SparError `run/folder-not-empty`, `run/folder-not-writable`, `run/locked`, and whatever the training throws,
 * after it has been recorded in run.json.
 */
export async function runRecipe(recipe: ResolvedRecipe, options: RunRecipeOptions): Promise<TrainingOutcome> {
  const { config } = recipe;
  const folder = config.output_dir;
  const resume = config.resume_from_checkpoint;
  const extra = options.trackers ?? [];
  makeOutputDirectory(folder);
  const lock = acquireRunLock(folder);
  try {
    if (resume === true && (await isAlreadyFinished(folder, config))) {
      const { step = 0, ...metrics } = readLastMetrics(folder);
      const tracker = createFanOut(extra);
      tracker.event({ code: "run/already-finished", message: `the run in ${folder} is finished: nothing to do` });
      await tracker.close("finished");
      return { status: "finished", steps: step, outputDir: folder, metrics };
    }
    claimOutputDirectory(folder, { resume: resume !== false, overwrite: config.overwrite_output_dir, lockFile: lockFileName });
    const directory = openRunDirectory(folder, {
      method: recipe.method,
      version: options.version,
      configYaml: recipe.yamlText,
      keepRows: resume !== false,
      ...(options.parent === undefined ? {} : { parent: options.parent }),
    });
    let tracker: Tracker = createFanOut([{ name: "run-directory", tracker: directory }, ...extra]);
    try {
      const report = createTrackers(config.report_to, { folder, config });
      tracker = createFanOut([{ name: "run-directory", tracker: directory }, ...report.trackers, ...extra]);
      announceRecipe(recipe, tracker);
      for (const event of report.events) tracker.event(event);
      const outcome = await (options.train ?? trainMethod)(recipe, {
        tracker,
        signal: options.signal,
        resume,
        resumedAt(step) {
          if (resume === false) return;
          directory.truncateAfter(step);
          const message = step > 0 ? `going on after step ${step}` : `no whole checkpoint in ${folder}: starting over`;
          tracker.event({ code: step > 0 ? "run/resumed" : "run/no-checkpoint", message, step });
        },
        readControl: () => directory.readControl(),
      });
      await tracker.close(outcome.status);
      return outcome;
    } catch (error) {
      await tracker.close("failed", error);
      throw error;
    }
  } finally {
    lock.release();
  }
}

function announceRecipe(recipe: ResolvedRecipe, tracker: Tracker): void {
  for (const note of recipe.notes) tracker.event({ code: "recipe/note", level: "warning", message: note });
  if (recipe.ignored.length > 0) {
    const message = `keys that mean nothing here, and change nothing: ${recipe.ignored.join(", ")}`;
    tracker.event({ code: "recipe/keys-ignored", message, keys: recipe.ignored });
  }
}
