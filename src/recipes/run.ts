/** Runs a recipe: claims its folder, opens its trackers, calls the method's training function, records how it ended. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { explainFileError, removeAsides } from "../checkpoint/index.ts";
import { describeError, InterruptedError, SparError } from "../internal/errors.ts";
import {
  acquireRunLock,
  createFanOut,
  createTrackers,
  listTrackersWithUnsentRows,
  openRunDirectory,
  readRunRecord,
  type NamedTracker,
  type RunDirectory,
  type Tracker,
  type TrackerSettings,
} from "../tracking/index.ts";
import type { TrainingContext, TrainingOutcome } from "../trainers/configs.ts";
import type { ResolvedRecipe } from "./load.ts";
import { resolveStudioDatasets } from "./studio-datasets.ts";
import { claimOutputDirectory, makeOutputDirectory, readLastMetrics } from "./output-directory.ts";

/** Calls the training function of the recipe's method; nothing else of the run is touched. */
export async function trainMethod(recipe: ResolvedRecipe, context: TrainingContext): Promise<TrainingOutcome> {
  const { pretrain, trainDPO, trainPPO, trainReward, trainSFT } = await import("../trainers/index.ts");
  switch (recipe.method) {
    case "pretrain":
      return pretrain(recipe.config, context);
    case "sft":
      return trainSFT(recipe.config, context);
    case "reward":
      return trainReward(recipe.config, context);
    case "ppo":
      return trainPPO(recipe.config, context);
    case "dpo":
      return trainDPO(recipe.config, context);
    case "self-rewarding":
      return (await import("../self-play/index.ts")).trainSelfRewarding(recipe.config, context);
    case "spin":
      return (await import("../self-play/index.ts")).trainSPIN(recipe.config, context);
  }
}

export type RunRecipeOptions = {
  /** spar's version, for run.json. */
  version: string;
  signal: AbortSignal;
  /** Trackers besides the run's folder and the recipe's `report_to`: a console, an array in a test. */
  trackers?: readonly NamedTracker[];
  /** Addresses and keys of the trackers in `report_to`. */
  trackerSettings?: TrackerSettings;
  /** The id of the run that this one is a stage of. */
  parent?: string;
  /** Label Studio's, for data sets that are projects there. */
  labelStudioToken?: string | undefined;
  /** Key of an `openai:` judge for which the recipe names no file. */
  judgeApiKey?: string | undefined;
  /** Stands in for `trainMethod`. */
  train?: typeof trainMethod;
};

/** How far a run goes; a finished run that is resumed with other values is a longer run, not a finished one. */
const extentKeys = new Set(["max_steps", "num_train_epochs", "total_episodes"]);

/** How a run is watched, not what it is. */
const watchingKeys = new Set([
  "resume_from_checkpoint",
  "overwrite_output_dir",
  "output_dir",
  "report_to",
  "run_name",
  "project",
  "trackio_space_id",
  "logging_dir",
  "save_total_limit",
  "env",
]);

type Config = { readonly [key: string]: unknown };

/** The recipe of the run that is in the folder; undefined where there is none that can be read. */
async function readEarlierConfig(folder: string): Promise<Config | undefined> {
  const { parse } = await import("yaml");
  try {
    const earlier: unknown = parse(readFileSync(join(folder, "config.yaml"), "utf8"));
    return typeof earlier === "object" && earlier !== null ? (earlier as Config) : undefined;
  } catch {
    return undefined;
  }
}

/** Keys whose values are not those of the earlier recipe; keys that it does not have are of another version of spar. */
function findChangedKeys(earlier: Config, config: Config): string[] {
  const isSame = (key: string): boolean => JSON.stringify(earlier[key]) === JSON.stringify(config[key]);
  return Object.keys(config).filter((key) => !watchingKeys.has(key) && Object.hasOwn(earlier, key) && !isSame(key));
}

/**
 * @throws SparError `run/folder-not-empty`, `run/folder-not-writable`, `run/locked`, `run/other-method`, and whatever the training throws,
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
    const record = resume === false ? undefined : readRunRecord(folder);
    if (record !== undefined && record.method !== recipe.method) {
      throw new SparError(
        "run/other-method",
        `cannot resume: expected a run of ${recipe.method} in ${folder}, found one of ${record.method}`,
        {
          hint: `Resume it with spar ${record.method}, or choose another --output_dir.`,
        },
      );
    }
    const earlier = resume === false ? undefined : await readEarlierConfig(folder);
    const changed = earlier === undefined ? [] : findChangedKeys(earlier, config);
    const isStaged = recipe.method === "self-rewarding" || recipe.method === "spin";
    // A longer run goes on; one of stages also where a key has another value, or somebody edited what is between them.
    const goesOn = isStaged
      ? changed.length > 0 || (await (await import("../self-play/index.ts")).findStaleFile(folder)) !== undefined
      : changed.some((key) => extentKeys.has(key));
    if (resume === true && record?.status === "finished" && earlier !== undefined && !goesOn) {
      const { step = 0, ...metrics } = readLastMetrics(folder);
      const tracker = createFanOut([...openUnsentTrackers(recipe, options), ...extra]);
      tracker.event({ code: "run/already-finished", message: `the run in ${folder} is finished: nothing to do` });
      await tracker.close("finished");
      return { status: "finished", steps: step, outputDir: folder, metrics };
    }
    claimOutputDirectory(folder, { resume: resume !== false, overwrite: config.overwrite_output_dir });
    await removeAsides(folder);
    const directory = openRunDirectory(folder, {
      method: recipe.method,
      version: options.version,
      configYaml: recipe.yamlText,
      keepRows: resume !== false,
      ...(options.parent === undefined ? {} : { parent: options.parent }),
    });
    let tracker: Tracker = recordFirst(directory, folder, createFanOut(extra));
    try {
      const report = createTrackers(config.report_to, {
        folder,
        config,
        version: options.version,
        resume: resume !== false,
        report: (event) => tracker.event(event),
        ...(options.trackerSettings === undefined ? {} : { settings: options.trackerSettings }),
      });
      tracker = recordFirst(directory, folder, createFanOut([...report.trackers, ...extra]));
      announceRecipe(recipe, tracker);
      for (const event of report.events) tracker.event(event);
      if (changed.length > 0) {
        const message = `the recipe is not that of the run that is resumed: ${changed.join(", ")} changed`;
        tracker.event({ code: "run/recipe-changed", level: "warning", message, keys: changed });
      }
      const token = options.labelStudioToken;
      const resolved = await resolveStudioDatasets(recipe, { token, resume: resume !== false, tracker, signal: options.signal });
      const outcome = await (options.train ?? trainMethod)(resolved, {
        tracker,
        signal: options.signal,
        resume,
        resumedAt(step) {
          if (resume === false) return;
          directory.truncateAfter(step);
          // Of stages, a step is a model; what lies between models is kept stage by stage, checkpoint or not.
          const [some, none] = isStaged
            ? [`models finished so far: ${step}; going on with the next`, "no model is finished yet: going on where the stages ended"]
            : [`going on after step ${step}`, `no whole checkpoint in ${folder}: starting over`];
          const message = step > 0 || (step === 0 && !isStaged) ? some : none;
          tracker.event({ code: step < 0 ? "run/no-checkpoint" : "run/resumed", message, step: Math.max(step, 0) });
        },
        readControl: () => directory.readControl(),
        judgeApiKey: options.judgeApiKey,
      });
      await tracker.close(outcome.status);
      return outcome;
    } catch (error) {
      if (error instanceof InterruptedError) await tracker.close("stopped");
      else {
        recordFailure(directory, error);
        await tracker.close("failed", error);
      }
      throw error;
    }
  } finally {
    lock.release();
  }
}

/**
 * The run's own files before all other trackers. Unlike those they may end the run: rows that a full disk swallows would
 * be missing for ever once a later checkpoint is written, whereas a run that ends here resumes and writes them again.
 */
function recordFirst(directory: RunDirectory, folder: string, others: Tracker): Tracker {
  const record = (write: () => void): void => {
    try {
      write();
    } catch (cause) {
      throw explainFileError(cause, "writing the rows of the run in", folder);
    }
  };
  return {
    metrics(row) {
      record(() => directory.metrics(row));
      others.metrics(row);
    },
    samples(rows) {
      record(() => directory.samples(rows));
      others.samples(rows);
    },
    histograms: (step, values) => others.histograms?.(step, values),
    event(event) {
      record(() => directory.event(event));
      others.event(event);
    },
    progress(progress) {
      directory.progress(progress);
      others.progress(progress);
    },
    async close(status, error) {
      await others.close(status, error);
      try {
        await directory.close(status, error);
      } catch (cause) {
        // A run that failed has its own reason, which is worth more.
        if (status !== "failed") throw explainFileError(cause, "closing the files of the run in", folder);
      }
    },
  };
}

/** Trackers that get, now that the run is finished, what they could not be sent while it ran. */
function openUnsentTrackers({ config }: ResolvedRecipe, options: RunRecipeOptions): NamedTracker[] {
  const folder = config.output_dir;
  return createTrackers(listTrackersWithUnsentRows(config.report_to, folder), {
    folder,
    config,
    version: options.version,
    resume: true,
    report: (event) => {
      for (const { tracker } of options.trackers ?? []) tracker.event(event);
    },
    ...(options.trackerSettings === undefined ? {} : { settings: options.trackerSettings }),
  }).trackers;
}

/** The last row of events.jsonl says why; people hear it from whoever catches the error. */
function recordFailure(directory: RunDirectory, error: unknown): void {
  try {
    directory.event({ ...describeError(error), level: "error" });
  } catch {
    // The disk that made the run fail may be the reason.
  }
}

function announceRecipe(recipe: ResolvedRecipe, tracker: Tracker): void {
  for (const note of recipe.notes) tracker.event({ code: "recipe/note", level: "warning", message: note });
  if (recipe.ignored.length > 0) {
    const message = `keys that mean nothing here, and change nothing: ${recipe.ignored.join(", ")}`;
    tracker.event({ code: "recipe/keys-ignored", message, keys: recipe.ignored });
  }
}
