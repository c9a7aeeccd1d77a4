/** The mean reward of each side's answers. */
import { createRewards, parseRewardSpec, type RewardSet } from "../rewards/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { EvaluationOptions, Written } from "./evaluation-options.ts";
import type { MeanFigure, SideReport } from "./evaluation-report.ts";
import { bootstrapInterval, mean } from "./interval.ts";
import { sameVocabulary } from "./writer.ts";

interface Scored {
  readonly figures: readonly Partial<SideReport>[];
  /** By side and prompt: the sum of the rewards; null where none applies. */
  readonly totals: readonly (readonly (number | null)[])[];
}

/** That rewards are there is known before hours of answering: rules and modules are opened, models found. Nothing stays in memory. */
export async function checkRewards({ rewards: specs = [], prompts, folder, resolveModel }: EvaluationOptions): Promise<void> {
  if (prompts === undefined) return;
  for (const spec of specs) {
    if (parseRewardSpec(spec).kind === "model") await resolveModel?.(spec);
    else (await createRewards([spec], { folder })).release();
  }
}

export async function scoreAnswers(written: readonly Written[], options: EvaluationOptions): Promise<Scored> {
  const { rewards: specs = [], prompts, backend, batchSize, folder, resolveModel, signal, onProgress } = options;
  if (specs.length === 0 || prompts === undefined) return { figures: [], totals: [] };
  const figures: Partial<SideReport>[] = [];
  const totals: (number | null)[][] = [];
  let held: { readonly set: RewardSet; readonly tokenizer: Tokenizer } | undefined;
  try {
    for (const [i, { source, answers, tokenizer }] of written.entries()) {
      onProgress?.(`rewards of ${source.name}`, i, written.length);
      // A reward model of the same vocabulary scores the ids; another tokenises the texts anew.
      if (held !== undefined && !sameVocabulary(held.tokenizer, tokenizer)) {
        held.set.release();
        held = undefined;
      }
      held ??= {
        set: await createRewards(specs, { folder, backend, tokenizer, batchSize, ...(resolveModel && { resolveModel }) }),
        tokenizer,
      };
      const rows = answers.map(({ promptIds, ids, text }, row) => ({
        ...prompts.rows[row].columns,
        prompt: prompts.rows[row].prompt,
        completion: text,
        prompt_ids: promptIds,
        completion_ids: ids,
      }));
      const { total, byReward } = await held.set.score(rows, { signal });
      const sums = Array.from(total, (value) => (Number.isNaN(value) ? null : value));
      const whole = averageOf(sums);
      totals.push(sums);
      figures.push({
        ...(whole === undefined ? {} : { mean_reward: whole.mean, reward_interval: whole.interval }),
        rewards: Object.fromEntries(
          [...byReward].flatMap(([name, scores]) => {
            const figure = averageOf(scores);
            return figure === undefined ? [] : [[name, figure]];
          }),
        ),
      });
    }
  } finally {
    held?.set.release();
  }
  return { figures, totals };
}

/** Undefined where nothing has a number. */
export function averageOf(values: readonly (number | null)[]): MeanFigure | undefined {
  const given = values.filter((value) => value !== null);
  if (given.length === 0) return undefined;
  return { mean: mean(given), interval: bootstrapInterval(given, mean), voids: values.length - given.length };
}
