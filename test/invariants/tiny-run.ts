/** Trainings of a few seconds, in this process, on the 260K-parameter model of the parity fixtures. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseRecipe } from "../../src/recipes/index.ts";
import type { MetricsRow, RunEvent } from "../../src/tracking/index.ts";
import type { Method, TrainingContext, TrainingOutcome } from "../../src/trainers/configs.ts";
import { trainMethod } from "../../src/recipes/run.ts";

export const fixtures = fileURLToPath(new URL("../fixtures/parity/", import.meta.url));
export const tinyModel = join(fixtures, "models", "stories260K");

/** Rows of a parity run's data. */
export function readFixtureRows(run: "sft" | "reward", from: number, to: number): { [column: string]: string }[] {
  const lines = readFileSync(join(fixtures, "runs", run, "data.jsonl"), "utf8")
    .trim()
    .split("\n");
  return lines.slice(from, to).map((line) => JSON.parse(line) as { [column: string]: string });
}

export interface Workplace {
  readonly folder: string;
  /** A path in the folder. */
  path(...names: string[]): string;
  writeRows(name: string, rows: readonly unknown[]): string;
  remove(): void;
}

export function createWorkplace(): Workplace {
  const folder = mkdtempSync(join(tmpdir(), "spar-test-"));
  const path = (...names: string[]): string => join(folder, ...names);
  return {
    folder,
    path,
    writeRows(name, rows) {
      writeFileSync(path(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      return path(name);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface TinyRun {
  readonly outcome: TrainingOutcome;
  readonly rows: MetricsRow[];
  readonly events: RunEvent[];
  readonly folder: string;
}

/** The recipe's other keys; `output_dir` and the data must be among them. */
export type Keys = { readonly [key: string]: unknown } & { readonly output_dir: string };

/** As `spar METHOD` does, without the run's log files. */
export async function trainTiny(method: Method, keys: Keys, context: Partial<TrainingContext> = {}): Promise<TinyRun> {
  const values = {
    model_name_or_path: tinyModel,
    logging_steps: 1,
    save_strategy: "no",
    gradient_checkpointing: false,
    train_sampling_strategy: "sequential",
    ...keys,
  };
  const recipe = await parseRecipe({ method, yaml: { text: JSON.stringify(values), file: "tiny.yaml" } });
  const rows: MetricsRow[] = [];
  const events: RunEvent[] = [];
  const tracker = {
    metrics: (row: MetricsRow) => void rows.push(row),
    samples() {},
    event: (event: RunEvent) => void events.push(event),
    progress() {},
    async close() {},
  };
  const outcome = await trainMethod(recipe, { tracker, signal: new AbortController().signal, resume: false, ...context });
  return { outcome, rows, events, folder: keys.output_dir };
}

/** Every file below a folder by its path, but for those that tell of time or of the way there. */
export function readTree(folder: string, options: { except?: RegExp } = {}): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile() && options.except?.test(name) !== true)
    .sort();
  return new Map(files.map((name) => [name, readFileSync(join(folder, name))]));
}

/** Names of files that are missing on one side or differ. */
export function findDifferences(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): string[] {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => {
    const [left, right] = [a.get(name), b.get(name)];
    return left === undefined || right === undefined || !left.equals(right);
  });
}
