/** report.json, and the verdict on it. Its keys are part of spar's interface. */
import { intervalOfDifference, type Measured } from "../evaluation/index.ts";
import { formatInterval, formatShare, formatSigned } from "../report/index.ts";

/** 256 completions in numbers. */
export interface SideReport {
  /** By what the tuning maximised: the reward model, or M1 as the judge (0 to 1). */
  readonly mean_score: number;
  /** Share of completions that VADER, which nothing was trained on, finds positive (compound ≥ .05), and its 95 % interval. */
  readonly outside_positive_share: number;
  readonly outside_interval: readonly [low: number, high: number];
  /** Of the completions under the untuned model. */
  readonly perplexity: number;
  /** Tokens a completion. */
  readonly mean_length: number;
  /** Different pairs of neighbouring words ÷ all. */
  readonly distinct_2: number;
}

export interface RewardModelReport {
  readonly train_pairs: number;
  readonly heldout_pairs: number;
  readonly heldout_accuracy: number;
}

/** M1 as a judge, by its own logits, of sentences that no training saw; right where it agrees with the people who labelled them. */
export interface JudgeReport {
  readonly heldout_n: number;
  readonly heldout_accuracy: number;
}

interface CommonReport {
  readonly seed: number;
  /** The sum of the stages. */
  readonly seconds: number;
  readonly stages: readonly { readonly name: string; readonly seconds: number }[];
  /** `kl`: from the untuned model, nats, summed over the sequence; absent where before is the untuned model itself. */
  readonly before: SideReport & { readonly kl?: number };
  readonly after: SideReport & { readonly kl: number };
  readonly samples: readonly { readonly prompt: string; readonly before: string; readonly after: string }[];
}

export interface RLHFReport extends CommonReport {
  readonly path: "rlhf";
  readonly reward_model: RewardModelReport;
}

export interface IterationReport {
  readonly name: string;
  readonly outside_positive_share: number;
  readonly outside_interval: readonly [low: number, high: number];
  readonly mean_length: number;
  readonly distinct_2: number;
}

/** `before` is M1, `after` the last model. */
export interface SelfPlayReport extends CommonReport {
  readonly path: "self-play";
  readonly judge: JudgeReport;
  readonly iterations: readonly IterationReport[];
  /** SPIN beside it: the model that it leaves, and the gain of each iteration (0: the opponent cannot be told from people). */
  readonly spin: IterationReport & {
    readonly perplexity: number;
    readonly gains: readonly { readonly gain: number; readonly accuracy: number }[];
  };
}

export type QuickstartReport = RLHFReport | SelfPlayReport;

export interface Verdict {
  /** `worked`: all three below hold. */
  readonly worked: boolean;
  /** The outside share went up, and the 95 % interval of the gain excludes 0. */
  readonly better: boolean;
  /** Perplexity under the untuned model at most 1.5 times that of before, at least half of its different bigrams. */
  readonly readable: boolean;
  /** One sentence. */
  readonly headline: string;
  /** What it rests on, in one or two sentences. */
  readonly reason: string;
}

/** Perplexity may grow by this factor before texts count as unreadable. */
const mostPerplexity = 1.5;
const leastDistinct = 0.5;

export function judgeReport({ before, after }: QuickstartReport): Verdict {
  const gain = 100 * (after.outside_positive_share - before.outside_positive_share);
  const gainInterval = intervalOfDifference(measured(before), measured(after));
  const better = gainInterval[0] > 0;
  const ratio = after.perplexity / before.perplexity;
  const readable = ratio <= mostPerplexity && after.distinct_2 >= leastDistinct * before.distinct_2;
  const points = `${Math.abs(gain).toFixed(0)} points`;
  const headline = better
    ? readable
      ? `It worked: ${points} more positive completions, and the text is still readable.`
      : `The reward was gamed: ${points} more positive completions, but the text suffered.`
    : gain > 0
      ? `Not proven: ${points} more positive completions, which chance could do too.`
      : gain < 0
        ? `It did not work: ${points} fewer positive completions.`
        : "It did not work: as many positive completions as before.";
  const reason =
    `A scorer that nothing was trained on finds ${formatShare(before.outside_positive_share)} of the completions positive before and ` +
    `${formatShare(after.outside_positive_share)} after: a gain of ${formatPoints(gainInterval[0])} to ${formatPoints(gainInterval[1])} points (95 % interval). ` +
    `Perplexity under the untuned model is ${ratio.toFixed(2)} times that of before; ${formatShare(after.distinct_2)} of neighbouring word pairs are different ones, ${formatShare(before.distinct_2)} before.`;
  return { worked: better && readable, better, readable, headline, reason };
}

const measured = (side: SideReport): Measured => ({ value: side.outside_positive_share, interval: side.outside_interval });

const formatPoints = (share: number): string => (100 * share).toFixed(0).replace("-", "−");

/** The rows of every table of before and after. */
export function listFigures({ path, before, after }: QuickstartReport): { name: string; before: string; after: string; meaning: string }[] {
  const row = (
    name: string,
    meaning: string,
    show: (side: SideReport) => string,
  ): { name: string; before: string; after: string; meaning: string } => ({ name, before: show(before), after: show(after), meaning });
  return [
    row(
      "positive, outside scorer",
      "share of completions that VADER finds positive; nothing was trained on it",
      (side) => `${formatShare(side.outside_positive_share)} (${formatInterval(side.outside_interval)})`,
    ),
    path === "rlhf"
      ? row("mean reward", "by the reward model learnt from people's labels: what PPO maximised", (side) => formatSigned(side.mean_score))
      : row("mean grade", "by M1 as the judge, 0 to 1", (side) => side.mean_score.toFixed(2)),
    row("perplexity", "of the completions under the untuned model: how strange the text is to it", (side) => side.perplexity.toFixed(1)),
    row("distinct bigrams", "different pairs of neighbouring words ÷ all: low where a model repeats itself", (side) =>
      formatShare(side.distinct_2),
    ),
    row("mean length", "tokens a completion", (side) => side.mean_length.toFixed(1)),
    {
      name: "KL",
      meaning: "distance from the untuned model, nats a completion: what the reward cost",
      before: before.kl === undefined ? "0" : before.kl.toFixed(2),
      after: after.kl.toFixed(2),
    },
  ];
}
