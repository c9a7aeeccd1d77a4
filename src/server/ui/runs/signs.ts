/** Signs of trouble that stand in the curves themselves. Rules of thumb: each says why it is shown, and none stops a run. */
import type { Columns } from "./columns.ts";
import type { Sign } from "./protocol.ts";
import { absent } from "./row-parser.ts";

interface Rule extends Omit<Sign, "key" | "step"> {
  readonly keys: readonly string[];
  /** The place in `values` from which on the sign stands; undefined: it does not. */
  find(values: Float64Array): number | undefined;
}

/** Fewer points say nothing about a course. */
const enough = 8;
/** KL of a whole answer, in nats, beyond which texts are far from anything that the reference would write. */
const highKL = 25;

/** The first place from which on all values are beyond the bound, if that is so for the last `least` of them. */
function standsSince(values: Float64Array, isBeyond: (value: number) => boolean, least: number): number | undefined {
  let at = values.length;
  while (at > 0 && isBeyond(values[at - 1])) at--;
  return values.length - at >= least ? at : undefined;
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

const rules: readonly Rule[] = [
  {
    code: "sign/kl-high",
    title: "The policy is far from its reference",
    keys: ["objective/kl", "kl"],
    find: (values) => standsSince(values, (value) => value > highKL, 3),
    meaning: `KL has stayed above ${highKL} nats an answer. So far away, a score says little: reward models are trained on texts like the reference's, and are easily fooled elsewhere.`,
    advice: "Read the samples. Raise kl_coef (or set adap_kl_ctrl: true with a kl_target), lower learning_rate, or stop earlier.",
  },
  {
    code: "sign/kl-negative",
    title: "KL is clearly negative",
    keys: ["objective/kl", "kl"],
    find: (values) => standsSince(values, (value) => value < -1, 3),
    meaning:
      "The estimate of KL is below −1 nat. A true KL is never negative: completions are not sampled from the policy as it is scored (temperature, top_k, top_p, or padding).",
    advice: "Sample at temperature 1 without top_k and top_p, or use kl_estimator: k3.",
  },
  {
    code: "sign/entropy-collapse",
    title: "Entropy collapsed",
    keys: ["policy/entropy_avg", "entropy"],
    find(values) {
      if (values.length < enough) return undefined;
      const start = meanOf(values.subarray(0, Math.max(2, Math.floor(values.length / 20))));
      return start > 0.5 ? standsSince(values, (value) => value < 0.1 * start, 3) : undefined;
    },
    meaning:
      "The model is nearly certain of every token: entropy fell below a tenth of where it began. Answers to the same prompt become the same.",
    advice:
      "For PPO: raise kl_coef, lower learning_rate or num_ppo_epochs. For SFT on few examples it means learning by heart: fewer epochs.",
  },
  {
    code: "sign/reward-constant",
    title: "The reward does not move",
    keys: ["objective/scores", "reward", "mean_reward"],
    find: (values) =>
      values.length < enough
        ? undefined
        : standsSince(values, (value) => Math.abs(value - values.at(-1)!) <= 1e-9 + 1e-6 * Math.abs(value), enough),
    meaning: "All recent batches got the same score: there is nothing to learn from.",
    advice:
      "Look at samples and their scores: a rule that fits nothing, a judge that gives everybody the same grade, or answers that are all the same.",
  },
  {
    code: "sign/gradient-zero",
    title: "Gradients are zero",
    keys: ["grad_norm"],
    find: (values) => standsSince(values, (value) => value === 0, 3),
    meaning: "The weights do not change any more.",
    advice: "The loss may be exactly flat (pairs with equal texts, rewards that are all the same), or everything is masked.",
  },
  {
    code: "sign/loss-rises",
    title: "Evaluation loss rises",
    keys: ["eval_loss"],
    find(values) {
      if (values.length < 4) return undefined;
      let best = 0;
      for (let i = 0; i < values.length; i++) if (values[i] < values[best]) best = i;
      return values.length - best > 2 && values.at(-1)! > values[best] * 1.05 ? best + 1 : undefined;
    },
    meaning:
      "The loss on held-out data was lower before, and has risen by more than 5 % since: the model learns its training data by heart.",
    advice: "Take the checkpoint of the lowest eval_loss; fewer epochs, a lower learning_rate, or more data.",
  },
];

const notANumber: Omit<Sign, "key" | "step" | "title"> = {
  code: "sign/not-a-number",
  meaning: "A value is NaN or infinite. Once a weight is, everything after it is too.",
  advice: "A lower learning_rate, a longer warmup, max_grad_norm: 1. If only a metric is concerned, it was a mean of nothing.",
};

/** At most one of each kind, in the order of the rules; curves that are not numbers first. */
export function findSigns(columns: Columns): Sign[] {
  const signs: Sign[] = [];
  const steps = columns.column("step");
  if (steps === undefined) return signs;
  for (const key of columns.keys) {
    const at = findNaN(columns.column(key)!);
    if (at < 0) continue;
    signs.push({ ...notANumber, title: `${key} is not a number`, key, step: steps[at] });
    break;
  }
  for (const { keys, find, ...texts } of rules) {
    const key = keys.find((name) => columns.describe(name).count > 0);
    if (key === undefined) continue;
    const { places, values } = keepNumbers(columns.column(key)!);
    const at = find(values);
    if (at !== undefined) signs.push({ ...texts, key, step: steps[places[at]] });
  }
  return signs;
}

/** A loop: columns have millions of rows, and a callback for each would be felt. */
function findNaN(column: Float64Array): number {
  for (let i = 0; i < column.length; i++) if (column[i] !== column[i]) return i;
  return -1;
}

function keepNumbers(column: Float64Array): { places: Uint32Array; values: Float64Array } {
  const places = new Uint32Array(column.length);
  const values = new Float64Array(column.length);
  let count = 0;
  for (let i = 0; i < column.length; i++) {
    const value = column[i];
    if (value === absent || value !== value) continue;
    places[count] = i;
    values[count++] = value;
  }
  return { places: places.subarray(0, count), values: values.subarray(0, count) };
}
