/** What earlier runs measured: spar eval's reports, quickstarts' reports, and the last figures of training runs. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import type { EvaluationReport, SideReport } from "./evaluation-report.ts";
import { hashPrompts } from "./evaluate-models.ts";
import { mean, type Interval } from "./interval.ts";
import { positiveFrom } from "./sentiment.ts";
import type { AskedPrompt } from "./writer.ts";

/** A figure of one run. Two runs' figures may be compared where name, scorer and prompts are the same. */
export interface Measure {
  readonly name: string;
  /** Who or what measured it. */
  readonly scorer: string;
  /** On what: a hash, a file and its rows. */
  readonly prompts: string;
  /** What the prompts were drawn from at random, where that is known: draws of one pool may be compared too. */
  readonly pool: string | undefined;
  readonly value: number;
  readonly interval: Interval | undefined;
  /** 1: higher is better, −1: lower, 0: neither by itself. */
  readonly direction: 1 | 0 | -1;
  /** A number a prompt, in their order, whose mean is the value. */
  readonly perPrompt: readonly number[] | undefined;
  readonly format: "share" | "number";
}

export interface LoadedResult {
  /** As given. */
  readonly name: string;
  readonly kind: "eval" | "quickstart" | "run";
  /** Runs of one group are repetitions: a quickstart's path, an evaluated model, or the run itself. */
  readonly group: string;
  /** What it was before the training, where that was measured too. */
  readonly before: readonly Measure[];
  readonly measures: readonly Measure[];
  /** A curve of the first measure, where there are iterations. */
  readonly iterations: readonly { readonly name: string; readonly share: number; readonly interval: Interval }[];
  readonly texts: readonly { readonly prompt: AskedPrompt; readonly text: string }[];
}

interface QuickstartSide {
  readonly outside_positive_share: number;
  readonly outside_interval: Interval;
  readonly perplexity?: number;
  readonly mean_length?: number;
  readonly distinct_2?: number;
  readonly kl?: number;
}

interface QuickstartResult {
  readonly path: string;
  readonly before: QuickstartSide;
  readonly after: QuickstartSide;
  readonly iterations?: readonly { readonly name: string; readonly outside_positive_share: number; readonly outside_interval: Interval }[];
  readonly samples: readonly { readonly prompt: string; readonly before: string; readonly after: string }[];
}

type JsonRow = { readonly [key: string]: unknown };

/** A run's folder or its report.json. Throws `evaluation/no-result`. */
export async function loadResult(path: string): Promise<LoadedResult> {
  const isFile = path.endsWith(".json");
  const folder = isFile ? dirname(path) : path;
  const file = isFile ? path : join(path, "report.json");
  if (existsSync(file)) {
    const report = await readJson(file);
    const rows = await readRows(join(folder, "samples.jsonl"));
    if (report["kind"] === "eval" && "sides" in report) return readEvaluation(path, report as unknown as EvaluationReport, rows);
    if (typeof report["path"] === "string" && "before" in report && "after" in report)
      return readQuickstart(path, report as unknown as QuickstartResult, rows);
    throw new SparError("evaluation/no-result", `${file} is a report of neither spar eval nor a quickstart`);
  }
  const metrics = await readRows(join(path, "metrics.jsonl"));
  if (metrics.length > 0) return readRun(path, metrics);
  throw new SparError(
    "evaluation/no-result",
    `${path}: expected report.json of spar eval or of a quickstart, or a run's metrics.jsonl; found ${existsSync(path) ? "neither" : "no such folder"}`,
  );
}

async function readJson(file: string): Promise<JsonRow> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as JsonRow;
  } catch (cause) {
    throw new SparError("evaluation/no-result", `${file} cannot be read (${(cause as Error).message})`, { cause });
  }
}

/** Empty where there is no such file; what a crash left of a last line is passed over. */
async function readRows(file: string): Promise<JsonRow[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return line.trim() === "" ? [] : [JSON.parse(line) as JsonRow];
    } catch {
      return [];
    }
  });
}

function measure(
  name: string,
  value: number | null | undefined,
  rest: Partial<Omit<Measure, "name" | "value">> & Pick<Measure, "scorer" | "prompts">,
): Measure[] {
  if (value === null || value === undefined || !Number.isFinite(value)) return [];
  const { perPrompt } = rest;
  // samples.jsonl may have been cut or edited since.
  const fits = perPrompt !== undefined && Math.abs(mean(perPrompt) - value) < 1e-6 * Math.max(1, Math.abs(value));
  return [
    { name, value, interval: undefined, pool: undefined, direction: 0, format: "number", ...rest, perPrompt: fits ? perPrompt : undefined },
  ];
}

function readQuickstart(name: string, report: QuickstartResult, rows: readonly JsonRow[]): LoadedResult {
  const steps = [...new Set(rows.map((row) => Number(row["step"])))].sort((a, b) => a - b);
  const at = (step: number | undefined): JsonRow[] => rows.filter((row) => Number(row["step"]) === step);
  const [first, last] = [at(steps[0]), at(steps.at(-1))];
  const ofRow = ({ prompt }: JsonRow): string => String(prompt);
  // Without samples.jsonl, the samples of the report stand for all prompts.
  const prompts = hashPrompts(first.length > 0 ? first.map(ofRow) : report.samples.map(({ prompt }) => prompt));
  const positives = (some: readonly JsonRow[]): number[] | undefined => {
    const scores = some.map(({ scores: given }) => (given as { vader?: unknown } | undefined)?.vader);
    return scores.length > 0 && scores.every((score) => typeof score === "number")
      ? scores.map((score) => Number(score >= positiveFrom))
      : undefined;
  };
  // Each seed holds out another random part of the shipped openings.
  const on = { prompts, pool: "the quickstart's openings" };
  const describe = (side: QuickstartSide, some: readonly JsonRow[]): Measure[] => [
    ...measure("positive completions", side.outside_positive_share, {
      scorer: `VADER ≥ ${positiveFrom}`,
      ...on,
      interval: side.outside_interval,
      direction: 1,
      perPrompt: positives(some),
      format: "share",
    }),
    ...measure("perplexity", side.perplexity, { scorer: "the untuned model", ...on }),
    ...measure("distinct bigrams", side.distinct_2, { scorer: "words", ...on, format: "share" }),
    ...measure("length", side.mean_length, { scorer: "tokens", ...on }),
    ...measure("KL", side.kl, { scorer: "the untuned model", ...on }),
  ];
  return {
    name,
    kind: "quickstart",
    group: report.path,
    before: describe(report.before, steps.length > 1 ? first : []),
    measures: describe(report.after, steps.length > 1 ? last : []),
    iterations: (report.iterations ?? []).map((one) => ({
      name: one.name,
      share: one.outside_positive_share,
      interval: one.outside_interval,
    })),
    texts: report.samples.map(({ prompt, after }) => ({ prompt, text: after })),
  };
}

function readEvaluation(name: string, report: EvaluationReport, rows: readonly JsonRow[]): LoadedResult {
  const { judge, against, reference, sides, settings } = report;
  const prompts = report.prompts?.sha256 ?? "none";
  const outcomes = rows.map(({ verdict }) => ({ win: 1, tie: 0.5, lose: 0 })[String(verdict)]);
  const totals = (side: number): (number | undefined)[] =>
    rows.map(({ rewards }) => (rewards as readonly (number | null)[] | undefined)?.[side] ?? undefined);
  const complete = (values: readonly (number | undefined)[]): readonly number[] | undefined =>
    values.length > 0 && values.every((value) => value !== undefined) ? values : undefined;
  const ofSide = (side: SideReport, index: number): Measure[] => [
    ...measure("mean reward", side.mean_reward, {
      scorer: report.reward_funcs.join(" + "),
      prompts,
      interval: side.reward_interval,
      direction: 1,
      perPrompt: complete(totals(index)),
    }),
    ...measure("grade", side.grade?.mean, { scorer: judge ?? "", prompts, interval: side.grade?.interval, direction: 1 }),
    ...measure("GSM8K", side.gsm8k?.accuracy, {
      scorer: "right answers",
      prompts: `${basename(report.gsm8k_file ?? "")}, ${side.gsm8k?.n} questions`,
      interval: side.gsm8k?.interval,
      direction: 1,
      format: "share",
    }),
    ...measure("MT-bench", side.mt_bench?.mean, {
      scorer: judge ?? "",
      prompts: `${basename(report.mt_bench_file ?? "")}, ${side.mt_bench?.questions} questions`,
      interval: side.mt_bench?.interval ?? undefined,
      direction: 1,
    }),
    ...measure("perplexity of the texts", side.text_perplexity, {
      scorer: "itself",
      prompts: `${basename(report.texts_file ?? "")}, ${side.text_tokens} tokens`,
      direction: -1,
    }),
    ...measure("KL", side.kl, { scorer: reference ?? "", prompts, interval: side.kl_interval ?? undefined }),
    ...measure("perplexity", side.perplexity, { scorer: reference ?? "", prompts }),
    ...measure("distinct bigrams", side.distinct_2, { scorer: "words", prompts, format: "share" }),
    ...measure("length", side.mean_length, { scorer: "tokens", prompts }),
  ];
  return {
    name,
    kind: "eval",
    group: `${report.model}, temperature ${settings.temperature}`,
    before: [],
    measures: [
      ...measure("win rate", report.win_rate, {
        scorer: `${judge}, against ${against}`,
        prompts,
        interval: report.interval ?? undefined,
        direction: 1,
        perPrompt: complete(outcomes),
        format: "share",
      }),
      ...measure("win rate, length controlled", report.length_controlled, {
        scorer: `${judge}, against ${against}`,
        prompts,
        interval: report.length_controlled_interval ?? undefined,
        direction: 1,
        format: "share",
      }),
      ...ofSide(sides.model, 0),
    ],
    iterations: [],
    texts: report.samples.map(({ prompt, model }) => ({ prompt: prompt as AskedPrompt, text: model })),
  };
}

/** Of a training run: the last value of each figure that tells how good it is. Who measured what is in the run's config: nothing is concluded. */
const shownOfRuns = [
  "eval_loss",
  "eval_accuracy",
  "eval_rewards/accuracies",
  "rewards/accuracies",
  "objective/scores",
  "objective/kl",
  "accuracy",
  "loss",
  "outside/win_rate",
  "outside/mean_score",
  "answers/mean_length",
  "answers/length_growth",
  "answers/distinct_2",
  "ties",
  "gain/gain",
  "gain/loss",
  "gain/margin",
  "gain/accuracy",
];

function readRun(name: string, rows: readonly JsonRow[]): LoadedResult {
  const measures = shownOfRuns.flatMap((key) => {
    const value = rows.findLast((row) => typeof row[key] === "number")?.[key] as number | undefined;
    return measure(key, value, { scorer: name, prompts: name });
  });
  return { name, kind: "run", group: name, before: [], measures, iterations: [], texts: [] };
}
