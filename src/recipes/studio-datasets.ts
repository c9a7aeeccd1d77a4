/** Data sets of a recipe that are live Label Studio projects become files of the run. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import type { Tracker } from "../tracking/index.ts";
import type { ResolvedRecipe } from "./load.ts";

/** In `output_dir`. */
export const studioFolder = "label-studio";

export interface StudioDatasetOptions {
  /** Undefined: none is known; an error only where a project has to be read. */
  readonly token: string | undefined;
  /** Whether the run goes on: then what it began with is used again, and Label Studio is not asked. */
  readonly resume: boolean;
  readonly tracker: Tracker;
  readonly signal: AbortSignal;
}

/**
 * The recipe with `{path: label-studio, url, project}` replaced by what was pulled into `output_dir`, so that a run that is resumed
 * trains on the rows it began with, whatever people have labelled since.
 * @throws SparError `label-studio/…`, `data/empty`
 */
export async function resolveStudioDatasets(recipe: ResolvedRecipe, options: StudioDatasetOptions): Promise<ResolvedRecipe> {
  const { config } = recipe;
  if (!config.datasets.some(({ path }) => path === studioFolder)) return recipe;
  const datasets: (typeof config.datasets)[number][] = [];
  for (const [index, dataset] of config.datasets.entries()) {
    const { url, project, ...rest } = dataset;
    if (dataset.path !== studioFolder || url === undefined || project === undefined) {
      datasets.push(dataset);
      continue;
    }
    const file = join(config.output_dir, studioFolder, `${index}.jsonl`);
    if (options.resume && existsSync(file))
      tell(options.tracker, `labels of the Label Studio project ${project} as the run began with them: ${file}`);
    else await pull(url, String(project), file, options);
    datasets.push({ ...rest, path: "json", data_files: file, task: rest.task ?? String(project) });
  }
  return { ...recipe, config: { ...config, datasets } } as ResolvedRecipe;
}

async function pull(url: string, project: string, file: string, { token, tracker, signal }: StudioDatasetOptions): Promise<void> {
  if (token === undefined || token.trim() === "")
    throw new SparError("label-studio/token", `reading the Label Studio project ${project} at ${url}: expected a token, found none`, {
      hint: "Set LABEL_STUDIO_API_KEY: the token is in Label Studio under Account & Settings.",
    });
  const { createStudioClient, saveStudioDataset } = await import("../labeling/index.ts");
  const client = createStudioClient({
    url,
    token,
    signal,
    onRetry: (reason) =>
      tracker.event({ code: "label-studio/retry", level: "warning", message: `Label Studio at ${url}: ${reason}; trying again` }),
  });
  const { tasks, labelled, project: found } = await saveStudioDataset(client, project, file);
  tell(tracker, `${labelled} labelled tasks of the ${tasks} of the Label Studio project ${found.title} were pulled into ${file}`);
}

function tell(tracker: Tracker, message: string): void {
  tracker.event({ code: "label-studio/pulled", level: "info", message });
}
