import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import { checkIndex, type IndexedRows } from "./indexed-rows.ts";
import type { Row } from "./row.ts";

/** One data set of a mixture. */
export type DatasetPart = {
  /** The task its rows belong to; evaluation reports each task by itself. */
  task: string;
  rows: IndexedRows;
  /** Target share of the mixture without repeating rows (TRL's `fraction`); on all parts or on none. */
  fraction?: number;
  /** Target share of the mixture with rows repeated or left out to meet it; the mixture has as many rows as the parts together. */
  weight?: number;
};

/** Rows of one or several data sets, each knowing its task. */
export interface Dataset extends IndexedRows<Row> {
  readonly parts: readonly { task: string; rows: IndexedRows }[];
  readonly tasks: readonly string[];
  /** Which of `parts` row `index` is of. */
  partOf(index: number): number;
  task(index: number): string;
  /** The row's number among the parts' own rows, below `originCount`: a row that `weight` repeats has one. */
  origin(index: number): number;
  readonly originCount: number;
}

/**
 * Mixes data sets: one after another in their order, each with as many rows as its share allows. Which rows
 * are taken depends on the arguments alone, so a loader's cursor is enough to resume.
 * @throws {SparError} data/mixture: shares that are negative, all zero, or given for some parts only
 */
export function mixDatasets(parts: readonly DatasetPart[], options: { seed?: number } = {}): Dataset {
  if (parts.length === 0) throw new SparError("data/empty", "mixing data sets: none was given");
  const counts = countRows(parts);
  const picked = parts.map((part, i) => pickRows(part, counts[i]!, options.seed ?? 0, i));
  return assemble(parts, picked);
}

/**
 * Splits off `size` rows (a share below 1, or a number of rows) at random for evaluation; the rest keeps its order. Of a row that
 * `weight` repeats one copy is held out, and none is left to train on.
 */
export function splitDataset(dataset: Dataset, size: number, seed: number): { train: Dataset; test: Dataset } {
  const testCount = size < 1 ? Math.ceil(dataset.count * size) : size;
  const all = Uint32Array.from({ length: dataset.count }, (_, i) => i);
  const isHeld = new Uint8Array(dataset.originCount);
  const isTest = new Uint8Array(dataset.count);
  let left = size > 0 && Number.isInteger(testCount) ? testCount : 0;
  for (const index of left === 0 ? [] : new Random(seed).shuffle(all.slice())) {
    const origin = dataset.origin(index);
    if (isHeld[origin]) continue;
    isHeld[origin] = isTest[index] = 1;
    if (--left === 0) break;
  }
  const train = all.filter((i) => !isHeld[dataset.origin(i)]);
  if (left > 0 || train.length === 0 || train.length === dataset.count) {
    const rows = new Set(all.map((i) => dataset.origin(i))).size;
    throw new SparError(
      "data/split",
      `splitting off test rows: expected a share between 0 and 1, or fewer rows than the ${rows} there are; got ${size}`,
    );
  }
  return {
    train: selectDataset(dataset, train),
    test: selectDataset(
      dataset,
      all.filter((i) => isTest[i]),
    ),
  };
}

/** The rows `indices` of a data set, in that order. */
export function selectDataset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const pick = (index: number): number => {
    checkIndex(index, indices.length, "the selected rows");
    return indices[index]!;
  };
  return {
    count: indices.length,
    parts: dataset.parts,
    tasks: dataset.tasks,
    read: async (index) => dataset.read(pick(index)),
    place: (index) => dataset.place(pick(index)),
    partOf: (index) => dataset.partOf(pick(index)),
    task: (index) => dataset.task(pick(index)),
    origin: (index) => dataset.origin(pick(index)),
    originCount: dataset.originCount,
    close: () => dataset.close(),
  };
}

function countRows(parts: readonly DatasetPart[]): number[] {
  for (const key of ["fraction", "weight"] as const) {
    const shares = parts.map((part) => part[key]);
    if (shares.every((share) => share === undefined)) continue;
    if (key === "weight" && parts.some((part) => part.fraction !== undefined)) {
      throw new SparError("data/mixture", "mixing data sets: expected either fraction or weight, got both");
    }
    if (shares.some((share) => share === undefined)) {
      throw new SparError("data/mixture", `mixing data sets: expected ${key} on all of them or on none`);
    }
    const total = (shares as number[]).reduce((sum, share) => sum + share, 0);
    if (!(total > 0) || !Number.isFinite(total) || (shares as number[]).some((share) => share < 0)) {
      throw new SparError("data/mixture", `mixing data sets: expected each ${key} ≥ 0 and one above, got ${shares.join(", ")}`);
    }
    const normal = (shares as number[]).map((share) => share / total);
    const size =
      key === "fraction"
        ? Math.min(...parts.flatMap((part, i) => (normal[i]! > 0 ? [part.rows.count / normal[i]!] : [])))
        : parts.reduce((sum, part) => sum + part.rows.count, 0);
    return normal.map((share) => roundHalfEven(share * size));
  }
  return parts.map((part) => part.rows.count);
}

/** As Python rounds, so that the same rows are kept as TRL keeps. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Row numbers within a part: the first ones for `fraction`; for `weight` whole rounds, and a random choice for what is left. */
function pickRows(part: DatasetPart, count: number, seed: number, salt: number): Uint32Array | undefined {
  const available = part.rows.count;
  if (count === available) return undefined;
  const picked = Uint32Array.from({ length: count }, (_, i) => (available === 0 ? 0 : i % available));
  const left = count % available;
  if (part.weight === undefined || left === 0) return picked;
  const order = new Random((Math.imul(seed, 31) + salt) | 0).shuffle(Uint32Array.from({ length: available }, (_, i) => i));
  picked.set(order.subarray(0, left).sort(), count - left);
  return picked;
}

function assemble(parts: readonly DatasetPart[], picked: readonly (Uint32Array | undefined)[]): Dataset {
  const starts: number[] = [];
  const origins: number[] = [];
  let count = 0;
  let originCount = 0;
  parts.forEach((part, i) => {
    starts.push(count);
    origins.push(originCount);
    count += picked[i]?.length ?? part.rows.count;
    originCount += part.rows.count;
  });
  const partOf = (index: number): number => {
    checkIndex(index, count, "the data set");
    let part = parts.length - 1;
    while (starts[part]! > index) part--;
    return part;
  };
  const locate = (index: number): [rows: IndexedRows, at: number, origin: number] => {
    const part = partOf(index);
    const at = index - starts[part]!;
    const own = picked[part]?.[at] ?? at;
    return [parts[part]!.rows, own, origins[part]! + own];
  };
  return {
    count,
    parts: parts.map(({ task, rows }) => ({ task, rows })),
    tasks: [...new Set(parts.map((part) => part.task))],
    partOf,
    task: (index) => parts[partOf(index)]!.task,
    origin: (index) => locate(index)[2],
    originCount,
    read: async (index) => {
      const [rows, at] = locate(index);
      return rows.read(at);
    },
    place: (index) => {
      const [rows, at] = locate(index);
      return rows.place(at);
    },
    async close() {
      await Promise.all(parts.map((part) => part.rows.close()));
    },
  };
}
