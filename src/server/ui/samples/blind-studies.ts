/** Blind comparisons of two columns: tasks that the Label room shows without saying whose they are, and who won. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseLabelRow, selectCurrentLabels, type LabelRow, type Row } from "../../../data/index.ts";
import { intervalOfShare } from "../../../evaluation/index.ts";
import { SparError } from "../../../internal/errors.ts";
import { Random } from "../../../internal/rng.ts";
import { loadTasks, nameLabelsFile, openLabelProject, type LabelProject } from "../../../labeling/index.ts";
import { joinColumns } from "./grid.ts";
import { parseRows, type SampleColumn } from "./columns.ts";
import type { BlindAnswer, BlindResult, BlindSide } from "./protocol.ts";
import { RequestError } from "../ui-error.ts";

/** Where a study is labelled. */
export interface LabelRoom {
  /** Shows the project from now on, and closes it at the end. */
  add(project: LabelProject): void;
}

export interface BlindStudies {
  create(
    sides: readonly [BlindColumn, BlindColumn],
    options: { readonly count?: number | undefined; readonly seed: number },
  ): Promise<BlindAnswer>;
  /** Opens those that earlier servers made and nobody holds, for the Label room. */
  reopen(): Promise<void>;
  /** Newest first. */
  list(): Promise<BlindResult[]>;
}

export interface BlindColumn {
  /** Whose texts they are, told when there are labels. */
  readonly name: string;
  readonly column: SampleColumn;
}

const suffix = ".tasks.jsonl";

/** Files lie in `labels` below `root`: `blind-ID.tasks.jsonl`, `blind-ID.labels.jsonl` and the pairs, `blind-ID.jsonl`. */
export function createBlindStudies(root: string, room: LabelRoom): BlindStudies {
  const folder = join(root, "labels");
  const pathOf = (id: string): string => join(folder, `${id}${suffix}`);
  const pairsOf = (id: string): string => join(folder, `${id}.jsonl`);
  const opened = new Set<string>();

  const open = async (id: string): Promise<void> => {
    const { tasks } = await loadTasks(pathOf(id), "pair");
    const project = await openLabelProject({ id, name: id, mode: "pair", tasks, pairsPath: pairsOf(id), queue: { order: "random" } });
    opened.add(id);
    room.add(project);
  };
  const listIds = async (): Promise<string[]> => {
    const names = await readdir(folder).catch(() => []);
    const ids = names.filter((name) => name.startsWith("blind-") && name.endsWith(suffix)).map((name) => basename(name, suffix));
    return ids.sort().reverse();
  };

  return {
    async create([a, b], { count = Infinity, seed }) {
      const both = joinColumns([a.column, b.column]).filter(({ cells }) => !cells.includes(null));
      const different = both.filter(({ cells }) => cells[0]?.text !== cells[1]?.text);
      if (different.length === 0)
        throw new RequestError(
          400,
          "ui/nothing-to-compare",
          both.length === 0
            ? "a blind comparison needs prompts that both columns have; these have none in common"
            : `both columns have the same text for all of their ${both.length} common prompts`,
          { hint: "Generate answers of both models to the same prompts." },
        );
      const random = new Random(seed);
      const chosen = different.map((row) => ({ row, place: random.uniform() })).sort((x, y) => x.place - y.place);
      const names = a.name === b.name ? [`${a.name} (first)`, `${b.name} (second)`] : [a.name, b.name];
      const rows = chosen.slice(0, count).map(({ row: { prompt, cells } }, i) => ({
        id: String(i + 1),
        prompt,
        candidates: cells.map((cell, side) => ({ text: cell?.text, model: names[side] })),
      }));
      const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
      const id = `blind-${stamp}-${randomBytes(2).toString("hex")}`;
      await mkdir(folder, { recursive: true });
      await writeFile(pathOf(id), rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { flush: true });
      await open(id);
      return { project: id, tasks: rows.length, same: both.length - different.length };
    },
    async reopen() {
      for (const id of await listIds()) {
        if (opened.has(id)) continue;
        // Another server has it open, or somebody has edited it: the result says what is known.
        await open(id).catch((error: unknown) => {
          if (!(error instanceof SparError)) throw error;
        });
      }
    },
    async list() {
      const results = await Promise.all((await listIds()).map((id) => readStudy(id, pathOf(id), nameLabelsFile(pairsOf(id)))));
      return results.filter((result): result is BlindResult => result !== undefined);
    },
  };
}

async function readStudy(id: string, tasksPath: string, labelsPath: string): Promise<BlindResult | undefined> {
  const tasks = parseRows(await readFile(tasksPath, "utf8").catch(() => ""));
  if (tasks.length === 0) return undefined;
  const labels = parseRows(await readFile(labelsPath, "utf8").catch(() => "")).flatMap((row) => {
    try {
      return [parseLabelRow(row as Row)];
    } catch {
      return [];
    }
  });
  const stamp = /^blind-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(id);
  const made = stamp === null ? "" : `${stamp[1]}-${stamp[2]}-${stamp[3]}T${stamp[4]}:${stamp[5]}:${stamp[6]}Z`;
  return { project: id, made, tasks: tasks.length, ...countWins(selectCurrentLabels(labels)) };
}

const points: { readonly [choice: string]: number } = { a: 1, b: 0, tie: 0.5, both_bad: 0.5 };

/** Several people's labels of one task count as their mean, so that each task counts once. */
export function countWins(labels: readonly LabelRow[]): Omit<BlindResult, "project" | "made" | "tasks"> {
  const judged = new Map<string, number[]>();
  for (const { task, choice } of labels) {
    if (choice === null || !(choice in points)) continue;
    judged.set(task, [...(judged.get(task) ?? []), points[choice]]);
  }
  const count = (choice: LabelRow["choice"]): number => labels.filter((label) => label.choice === choice).length;
  const shares = [...judged.values()].map((some) => some.reduce((all, value) => all + value, 0) / some.length);
  const sum = shares.reduce((all, share) => all + share, 0);
  // Sound for a handful of labels that all say the same, where a bootstrap sees no doubt at all.
  const [rate, interval] = shares.length === 0 ? [null, null] : [sum / shares.length, intervalOfShare(sum, shares.length)];
  const side = (index: 0 | 1): BlindSide => ({
    name: labels[0].candidates[index].model ?? `answer ${index + 1}`,
    wins: count(index === 0 ? "a" : "b"),
    winRate: rate === null ? null : index === 0 ? rate : 1 - rate,
    interval: interval === null ? null : index === 0 ? interval : [1 - interval[1], 1 - interval[0]],
  });
  return {
    labels: labels.length,
    judged: judged.size,
    models: judged.size === 0 ? null : [side(0), side(1)],
    ties: count("tie"),
    bothBad: count("both_bad"),
  };
}
