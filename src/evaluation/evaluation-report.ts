/** report.json of `spar eval`: its keys are part of spar's interface. */
import type { ArithmeticResult } from "./gsm8k.ts";
import type { Interval } from "./interval.ts";
import type { BenchScores, BenchTurn } from "./mt-bench.ts";
import type { WinRate } from "./win-rate.ts";

/** A mean over prompts, and its 95 % interval by a bootstrap over them. */
export interface MeanFigure {
  readonly mean: number;
  readonly interval: Interval;
  /** Answers that got no number. */
  readonly voids: number;
}

export interface SideReport {
  readonly model: string;
  /** The figures from here to `kl` are of the answers to `--prompts`; absent without it. */
  readonly answers?: number;
  /** Tokens, the end token among them. */
  readonly mean_length?: number;
  readonly mean_words?: number;
  readonly distinct_1?: number;
  readonly distinct_2?: number;
  /** Share of words that only repeat the word before. */
  readonly repetition?: number;
  /** Shares of answers without a word, and of those ended by the limit of tokens. */
  readonly empty?: number;
  readonly cut?: number;
  /** Sum of the rewards; with several, `rewards` has each. */
  readonly mean_reward?: number;
  readonly reward_interval?: Interval;
  readonly rewards?: { readonly [name: string]: MeanFigure };
  /** By a judge that grades. */
  readonly grade?: MeanFigure;
  /** Of the answers under the reference model. */
  readonly perplexity?: number;
  /** Mean of log p(model) − log p(reference), summed over an answer, nats: null unless sampled at temperature 1 without filters, by a model of the reference's tokenizer. */
  readonly kl?: number | null;
  readonly kl_interval?: Interval | null;
  /** Of the texts of `--texts` under the model itself. */
  readonly text_perplexity?: number;
  readonly text_tokens?: number;
  readonly gsm8k?: ArithmeticResult & { readonly cut: number };
  readonly mt_bench?: BenchScores;
}

export interface EvaluationSample {
  readonly prompt: unknown;
  readonly model: string;
  readonly against?: string;
  readonly verdict?: "win" | "tie" | "lose" | null;
  /** By the rewards' sum. */
  readonly rewards?: readonly (number | null)[];
}

export interface EvaluationReport extends Partial<WinRate> {
  readonly kind: "eval";
  readonly schema_version: 1;
  readonly spar: string;
  readonly started: string;
  readonly seconds: number;
  readonly model: string;
  readonly against: string | null;
  readonly reference: string | null;
  readonly judge: string | null;
  readonly reward_funcs: readonly string[];
  /** The file, its rows, and a hash of their prompts: what makes two evaluations comparable. */
  readonly prompts: { readonly file: string; readonly n: number; readonly sha256: string } | null;
  readonly settings: {
    readonly temperature: number;
    readonly top_k: number;
    readonly top_p: number;
    readonly max_new_tokens: number;
    readonly seed: number;
  };
  readonly sides: { readonly model: SideReport; readonly against?: SideReport };
  /** Turn by turn, model against the other; where the judge compares. */
  readonly mt_bench_turns?: readonly BenchTurn[];
  readonly gsm8k_file?: string;
  readonly mt_bench_file?: string;
  readonly texts_file?: string;
  readonly samples: readonly EvaluationSample[];
}

export interface Figure {
  readonly name: string;
  readonly meaning: string;
  readonly model: string;
  readonly against: string | undefined;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const number = (value: number): string =>
  value
    .toFixed(2)
    .replace(/^-0\.00$/, "0.00")
    .replace("-", "−");

/** The rows of every table of an evaluation: what was not measured is not there. */
export function listEvaluation({ sides: { model, against }, reference, judge }: EvaluationReport): Figure[] {
  const figures: Figure[] = [];
  const add = (name: string, meaning: string, show: (side: SideReport) => string | undefined): void => {
    const [left, right] = [show(model), against === undefined ? undefined : show(against)];
    if (left !== undefined || right !== undefined)
      figures.push({ name, meaning, model: left ?? "–", against: against === undefined ? undefined : (right ?? "–") });
  };
  const mean = (figure: MeanFigure | undefined): string | undefined =>
    figure && `${number(figure.mean)} (${number(figure.interval[0])} to ${number(figure.interval[1])})`;
  for (const name of Object.keys(model.rewards ?? {}))
    add(`reward: ${name}`, "mean, 95 % interval", ({ rewards }) => mean(rewards?.[name]));
  add("grade", `mean, by ${judge ?? "the judge"}`, ({ grade }) => mean(grade));
  add(
    "GSM8K",
    "share of right answers",
    ({ gsm8k }) => gsm8k && `${percent(gsm8k.accuracy)} (${percent(gsm8k.interval[0])} to ${percent(gsm8k.interval[1])})`,
  );
  add("MT-bench", "mean grade of all turns", ({ mt_bench: bench }) => bench && showGrade(bench.mean));
  for (const turn of (model.mt_bench?.turns ?? []).keys())
    add(`MT-bench, turn ${turn + 1}`, "mean grade", ({ mt_bench: bench }) => bench && showGrade(bench.turns[turn]));
  add("KL", `from ${reference ?? "the reference"}, nats an answer`, ({ kl, kl_interval: interval }) =>
    kl === undefined
      ? undefined
      : kl === null
        ? "–"
        : `${number(kl)}${interval ? ` (${number(interval[0])} to ${number(interval[1])})` : ""}`,
  );
  add("perplexity", `of the answers under ${reference ?? "the reference"}`, ({ perplexity }) => perplexity?.toFixed(2));
  add("perplexity of the texts", "under the model itself; lower is better", ({ text_perplexity: value }) => value?.toFixed(2));
  add("length", "tokens an answer", ({ mean_length: value }) => value?.toFixed(1));
  add("words", "an answer", ({ mean_words: value }) => value?.toFixed(1));
  add("distinct-1", "different words ÷ all", ({ distinct_1: value }) => (value === undefined ? undefined : percent(value)));
  add("distinct-2", "different pairs of neighbouring words ÷ all", ({ distinct_2: value }) =>
    value === undefined ? undefined : percent(value),
  );
  add("repetition", "words that only repeat the one before", ({ repetition: value }) => (value === undefined ? undefined : percent(value)));
  add("empty", "answers without a word", ({ empty: value }) => (value === undefined ? undefined : percent(value)));
  add("cut", "answers ended by the limit of tokens", ({ cut: value }) => (value === undefined ? undefined : percent(value)));
  return figures;
}

function showGrade(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : number(value);
}

/** One sentence, and what it rests on. */
export function concludeEvaluation(report: EvaluationReport): { readonly headline: string; readonly reason: string } {
  const {
    model,
    against,
    judge,
    win_rate: rate,
    interval,
    length_controlled: controlled,
    win = 0,
    tie = 0,
    lose = 0,
    voids = 0,
    sides,
  } = report;
  const [a, b] = [shortenName(model), shortenName(against ?? "")];
  if (rate !== null && rate !== undefined && interval) {
    const proven = interval[0] > 0.5 || interval[1] < 0.5;
    const headline = !proven
      ? `Not proven: ${a} wins ${percent(rate)} against ${b}, which chance could do too.`
      : rate > 0.5
        ? `${a} is preferred: it wins ${percent(rate)} against ${b}.`
        : `${b} is preferred: ${a} wins ${percent(rate)} only.`;
    const notes = [
      `${win} ${win === 1 ? "win" : "wins"}, ${tie} ${tie === 1 ? "tie" : "ties"}, ${lose} ${lose === 1 ? "loss" : "losses"} by ${judge}${voids === 0 ? "" : `, ${voids} without a verdict`}; each pair was judged in both orders, and a win counts only if both agree. 95 % interval ${percent(interval[0])} to ${percent(interval[1])}.`,
      controlled === null || controlled === undefined ? "" : `Were both answers equally long, ${a} would win ${percent(controlled)}.`,
      Math.abs(report.position_bias ?? 0) > 0.2
        ? `Beware: the judge prefers the answer shown ${(report.position_bias ?? 0) > 0 ? "first" : "second"}.`
        : "",
    ];
    return { headline, reason: notes.filter((note) => note !== "").join(" ") };
  }
  if (report.n !== undefined && rate === null)
    return { headline: "The judge gave no verdict at all.", reason: `${report.n} comparisons were asked for.` };
  const { gsm8k, mt_bench: bench, grade, mean_reward: reward, reward_interval: range } = sides.model;
  const parts = [
    gsm8k === undefined ? "" : `solves ${percent(gsm8k.accuracy)} of ${gsm8k.n} GSM8K questions`,
    bench?.mean === null || bench === undefined ? "" : `has ${number(bench.mean)} points on MT-bench`,
    grade === undefined ? "" : `is graded ${number(grade.mean)}`,
    reward === undefined || range === undefined
      ? ""
      : `has a mean reward of ${number(reward)} (${number(range[0])} to ${number(range[1])})`,
  ].filter((part) => part !== "");
  return {
    headline: parts.length === 0 ? `${a}, measured.` : `${a} ${parts.join(", ")}.`,
    reason: against === null ? "Without --against there is nothing to compare it with." : `The figures of ${b} are beside it.`,
  };
}

/** The end of a long path tells more than its start. */
export function shortenName(name: string): string {
  const parts = name.replace(/[/\\]+$/, "").split(/[/\\]/);
  return parts.slice(-2).join("/");
}

/** A text as it is; messages with their speakers, where there are several. */
export function describePrompt(prompt: unknown): string {
  if (typeof prompt === "string") return prompt;
  const messages = prompt as readonly { readonly role: string; readonly content: string }[];
  if (messages.length === 1) return String(messages[0].content);
  return messages.map(({ role, content }) => `${role}: ${content}`).join("\n");
}
