import { findDatasetFiles, type HubOptions } from "./dataset-files.ts";
import { type DatasetSpec, nameTask, selectColumns, sliceSplit } from "./dataset-spec.ts";
import { concatRows, createMemoryRows, type IndexedRows } from "./indexed-rows.ts";
import { expandStudioExport } from "./label-studio/expand-studio.ts";
import { expandLabels } from "./labels/expand-labels.ts";
import { DEFAULT_MEMORY_LIMIT, inferFormat, loadFile } from "./load-file.ts";
import { type Dataset, type DatasetPart, mixDatasets } from "./mixture.ts";
import type { Row } from "./row.ts";

export type LoadDatasetOptions = {
  /** Relative paths start here (default: the current folder). */
  baseDir?: string;
  /** Rows beyond so many bytes stay on disk (default 512 MiB). */
  memoryLimit?: number;
  /** For what must be copied to disk (default: the system's temporary folder). */
  tempDir?: string;
  /** For data sets by hub id. */
  hub?: HubOptions;
  /** Decides which rows a `weight` leaves out. */
  seed?: number;
};

/**
 * Loads the data sets of a recipe and mixes them.
 * @throws {SparError} data/not-found, data/empty, data/bad-rows, data/columns … with file, line, and what is expected
 */
export async function loadDataset(specs: DatasetSpec | readonly DatasetSpec[], options: LoadDatasetOptions = {}): Promise<Dataset> {
  const list: readonly DatasetSpec[] = Array.isArray(specs) ? specs : [specs as DatasetSpec];
  const memory = { left: options.memoryLimit ?? DEFAULT_MEMORY_LIMIT };
  const parts: DatasetPart[] = [];
  try {
    for (const spec of list) {
      const { files, format } = await findDatasetFiles(spec, options.baseDir ?? ".", options.hub);
      const sampleBy = spec.sample_by ?? (spec.path === "folder" ? "document" : "line");
      const loaded: IndexedRows[] = [];
      parts.push({
        task: nameTask(spec, files, new Set(parts.map((part) => part.task))),
        rows: { ...createMemoryRows<Row>([], spec.path), close: () => closeAll(loaded) },
        ...(typeof spec.fraction === "number" ? { fraction: spec.fraction } : {}),
        ...(typeof spec.weight === "number" ? { weight: spec.weight } : {}),
      });
      for (const file of files) {
        // `path: json` reads arrays and lines; a name that says lines gets the lines' better error messages
        const known = format === "json" && inferFormat(file) === "jsonl" ? "jsonl" : format;
        const fileRows = await loadFile(file, {
          memory,
          sampleBy,
          ...(known ? { format: known } : {}),
          ...(options.tempDir ? { tempDir: options.tempDir } : {}),
        });
        loaded.push(await expandStudioExport(await expandLabels(fileRows, file), file));
      }
      let rows = sliceSplit(concatRows(loaded), spec.split ?? "train");
      if (spec.columns) rows = await selectColumns(rows, spec.columns);
      parts.at(-1)!.rows = rows;
    }
    return mixDatasets(parts, { seed: options.seed ?? 0 });
  } catch (error) {
    await closeAll(parts.map((part) => part.rows));
    throw error;
  }
}

async function closeAll(rows: readonly IndexedRows[]): Promise<void> {
  await Promise.all(rows.map((part) => part.close()));
}

/** A data set of rows at hand, for programs and tests. */
export function createDataset(rows: readonly Row[], task = "data"): Dataset {
  return mixDatasets([{ task, rows: createMemoryRows(rows, task, { unit: "row" }) }]);
}

/** TRL's `dataset_name`, `dataset_config` and a split, as an entry of `datasets`. */
export function specFromName(config: { dataset_name: string; dataset_config?: string | null }, split: string): DatasetSpec {
  return { path: config.dataset_name, name: config.dataset_config ?? null, split };
}
