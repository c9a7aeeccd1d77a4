/**
 * PPO against a reward: sample completions, score them, keep close to the reference by a KL penalty in the reward,
 * improve the policy. As TRL 0.12.2's PPOTrainer; where rewards come from is open (see rewards/).
 *
 * One step of the loop is one batch of episodes: collect, then `learner.update` (ppo-learner.ts).
 */
import type { JsonValue } from "../checkpoint/index.ts";
import { createLoader, formatPlace, preparePrompts, type PreparedRows, type TokenizedPrompt } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { createGenerator, createScorer, type Generator, type Scorer } from "../generation/index.ts";
import { freeModel, loadModel, type LanguageModel } from "../models/index.ts";
import { createRewards, type RewardSet } from "../rewards/index.ts";
import {
  clipScores,
  createAdaptiveKLController,
  createFixedKLController,
  createRunningNormalizer,
  penalizeMissingEnd,
  type ScoreMoments,
} from "../rollout/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { PPOConfig } from "./ppo-config.ts";
import { createPPOLearner, type SampledEpisode } from "./ppo-learner.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { runTrainingLoop } from "./training-loop.ts";
import { findModel, openTraining, prepareOptions, type Training } from "./training-setup.ts";

export async function trainPPO(config: PPOConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const training = await openTraining(config, context, { head: "lm", model: config.sft_model_path ?? config.model_name_or_path });
  const undo: (() => unknown)[] = [() => training.close()];
  try {
    const { backend, tokenizer, folder, datasets } = training;
    const prompts = await preparePrompts(datasets.train, {
      ...prepareOptions(context, training),
      maxPromptLength: config.max_prompt_length,
    });
    const reference = await loadModel(folder, backend, { head: "lm" });
    undo.push(() => freeModel(reference));
    const valueModel =
      config.value_model_path === null
        ? undefined
        : await loadModel(await findModel(config.value_model_path, context), backend, { head: "score", seed: config.seed });
    if (valueModel !== undefined) undo.push(() => freeModel(valueModel));
    const rewards = await createRewards(
      [...(config.reward_model_path === null ? [] : [config.reward_model_path]), ...config.reward_funcs],
      {
        folder: ".",
        backend,
        tokenizer,
        resolveModel: (name) => findModel(name, context),
        weights: config.reward_weights,
        batchSize: config.local_rollout_forward_batch_size,
      },
    );
    undo.push(() => rewards.release());
    return await train(config, context, training, { prompts, reference, valueModel, rewards });
  } finally {
    for (const step of undo.toReversed()) await step();
  }
}

interface Parts {
  readonly prompts: PreparedRows<TokenizedPrompt>;
  readonly reference: LanguageModel;
  readonly valueModel: LanguageModel | undefined;
  readonly rewards: RewardSet;
}

/** Episodes of one update, in TRL's words: per_device_train_batch_size × gradient_accumulation_steps × num_mini_batches. */
export function episodesPerUpdate(config: PPOConfig): number {
  return config.per_device_train_batch_size * config.gradient_accumulation_steps * config.num_mini_batches;
}

async function train(
  config: PPOConfig,
  context: TrainingContext,
  training: Training,
  { prompts, reference, valueModel, rewards }: Parts,
): Promise<TrainingOutcome> {
  const { backend, model: policy, tokenizer, resumePoint } = training;
  const { tracker } = context;
  const batchSize = episodesPerUpdate(config);
  const learner = await createPPOLearner(config, backend, policy, valueModel);
  const generator = createGenerator(policy, backend, { maxBatch: Math.min(batchSize, config.local_rollout_forward_batch_size), tokenizer });
  const scorer = createScorer(reference, backend, { maxRows: config.local_rollout_forward_batch_size });
  // Batches are never ragged, as in TRL: the last rows of an epoch that do not fill one are left out.
  const loaderOptions = {
    count: prompts.count,
    batchSize,
    seed: config.data_seed ?? config.seed,
    samplingStrategy: config.train_sampling_strategy,
    dropLast: true,
  };
  let loader = createLoader(loaderOptions);
  let episodes = 0;
  let sampledTokens = 0;
  const controllerFrom = (coefficient: number): ReturnType<typeof createFixedKLController> =>
    config.adap_kl_ctrl
      ? createAdaptiveKLController({ coefficient, target: config.kl_target, horizon: config.kl_horizon })
      : createFixedKLController(coefficient);
  let controller = controllerFrom(config.kl_coef);
  const normalizerFrom = (moments?: ScoreMoments): ReturnType<typeof createRunningNormalizer> | undefined =>
    config.use_score_scaling
      ? createRunningNormalizer({ subtractMean: config.use_score_norm, ...(moments === undefined ? {} : { moments }) })
      : undefined;
  let normalizer = normalizerFrom();

  const totalEpisodes = config.total_episodes ?? Math.floor(config.num_train_epochs * prompts.count);
  const totalSteps = config.max_steps > 0 ? config.max_steps : Math.ceil(totalEpisodes / batchSize);
  const sampleEvery = config.num_sample_generations > 0 ? Math.max(1, Math.floor(totalSteps / config.num_sample_generations)) : Infinity;

  /** Said once, and again where a batch has more of them. */
  let mostUnscored = 0;
  const reportUnscored = (step: number, scores: Float64Array): void => {
    const unscored = scores.filter(Number.isNaN).length;
    if (unscored <= mostUnscored) return;
    mostUnscored = unscored;
    const message =
      unscored === scores.length
        ? `no reward gave a score to any of the ${unscored} completions of step ${step}: there is nothing to learn from them`
        : `no reward gave a score to ${unscored} of the ${scores.length} completions of step ${step}: nothing is learnt from those`;
    tracker.event({ code: "rewards/unscored", level: "warning", message, step, unscored });
  };

  let isCutReported = false;
  const reportCut = (step: number, rows: readonly TokenizedPrompt[]): void => {
    const { maxPositions } = policy.config;
    const cut = rows.filter(({ promptIds }) => promptIds.length + config.response_length > maxPositions).length;
    if (isCutReported || cut === 0) return;
    isCutReported = true;
    const message = `${cut} of the ${rows.length} prompts of step ${step} leave less than response_length ${config.response_length} of the model's ${maxPositions} positions: their completions end earlier`;
    tracker.event({ code: "rollout/completions-cut", level: "warning", message, step, cut });
  };

  return runTrainingLoop(
    config,
    context,
    {
      totalSteps,
      stepsPerEpoch: loader.batchesPerEpoch,
      logsLoss: false,
      async step(update, learningRate) {
        const { indices } = loader.next();
        const rows = await Promise.all(indices.map((index) => prompts.read(index)));
        reportCut(update, rows);
        const collected = await collect(config, {
          rows,
          generator,
          scorer,
          rewards,
          tokenizer,
          firstEpisode: episodes,
          states: valueModel === undefined,
        });
        reportUnscored(update, collected.scores);
        const scaled = clipScores(normalizer?.normalize(collected.scores) ?? collected.scores, config.score_clip);
        const samples: SampledEpisode[] = collected.episodes.map((episode, i) => ({
          ...episode,
          score: penalizeMissingEnd(scaled[i], episode.ended, config.missing_eos_penalty),
        }));
        // The weights are about to change: what was packed of them for sampling makes room for the update's gradients.
        generator.refresh();
        const metrics = await learner.update(samples, {
          update,
          learningRate,
          klCoef: controller.coefficient,
          places: indices.map((index) => formatPlace(prompts.place(index))),
        });
        episodes += batchSize;
        if ((update - 1) % sampleEvery === 0) {
          tracker.samples(
            samples.slice(0, 8).map((sample, i) => ({
              step: update,
              prompt: collected.prompts[i],
              completion: collected.completions[i],
              scores: collected.byReward(i),
              score: sample.score,
            })),
          );
          tracker.histograms?.(update, {
            score: samples.map((sample) => sample.score),
            completion_length: samples.map((sample) => sample.completionIds.length),
          });
        }
        const klCoef = controller.coefficient;
        controller.update(metrics["objective/kl"], batchSize);
        const tokens = samples.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
        sampledTokens += tokens;
        const rewardMeans = rewards.rewards.length > 1 ? collected.rewardMeans : {};
        const lengths = tokens / samples.length;
        return {
          loss: metrics["loss/policy_avg"] + config.vf_coef * metrics["loss/value_avg"],
          gradNorm: 0,
          metrics: { ...metrics, ...rewardMeans, "completions/mean_length": lengths },
          latest: { "objective/kl_coef": klCoef, lr: learningRate, episode: episodes, num_tokens: sampledTokens },
          tokens,
        };
      },
      save: training.save,
      buffers: () => learner.buffers(),
      getState: (): { [key: string]: JsonValue } => ({
        steps: learner.steps,
        cursor: loader.cursor,
        episodes,
        sampledTokens,
        klCoef: controller.coefficient,
        ...(normalizer === undefined ? {} : { scoreMoments: { ...normalizer.moments } }),
      }),
      async restore(state, read) {
        await learner.restore(state["steps"] as number, read);
        loader = createLoader({ ...loaderOptions, cursor: state["cursor"] as { epoch: number; position: number } });
        episodes = state["episodes"] as number;
        // Checkpoints of earlier versions do not count them.
        sampledTokens = (state["sampledTokens"] as number | undefined) ?? 0;
        controller = controllerFrom(state["klCoef"] as number);
        normalizer = normalizerFrom(state["scoreMoments"] as unknown as ScoreMoments | undefined);
      },
    },
    resumePoint,
  ).finally(() => {
    generator.release();
    scorer.release();
    learner.release();
  });
}

interface Collected {
  /** Without their final scores. */
  readonly episodes: readonly Omit<SampledEpisode, "score">[];
  /** Weighted rewards as they came; NaN where none applies. */
  readonly scores: Float64Array;
  readonly prompts: readonly string[];
  readonly completions: readonly string[];
  byReward(index: number): { [name: string]: number };
  readonly rewardMeans: { [metric: string]: number };
}

/** One completion a prompt, its log-probs under policy and reference, and its rewards. */
async function collect(
  config: PPOConfig,
  options: {
    rows: readonly TokenizedPrompt[];
    generator: Generator;
    scorer: Scorer;
    rewards: RewardSet;
    tokenizer: Tokenizer;
    firstEpisode: number;
    /** Whether values come from the policy's own states. */
    states: boolean;
  },
): Promise<Collected> {
  const { rows, generator, scorer, rewards, tokenizer, firstEpisode, states } = options;
  const stopIds = findStopIds(config, tokenizer);
  const completions = await generator.generate(
    // An episode's random numbers depend on its number in the run alone.
    rows.map(({ promptIds }, i) => ({ promptIds, promptIndex: firstEpisode + i })),
    {
      maxNewTokens: config.response_length,
      temperature: config.temperature,
      topK: config.top_k,
      topP: config.top_p,
      stopIds,
      seed: config.seed,
    },
    { states },
  );
  const scored = await scorer.logprobs(
    completions.map(({ ids }, i) => ({ ids: [...rows[i].promptIds, ...ids], from: rows[i].promptIds.length })),
    { temperature: config.temperature },
  );
  const texts = completions.map(({ ids }) => tokenizer.decode(ids, { skipSpecialTokens: true }));
  const prompts = rows.map(({ promptIds, row }) => ({
    text: tokenizer.decode(promptIds, { skipSpecialTokens: true }),
    given: row["prompt"],
  }));
  const results = await rewards.score(
    rows.map(({ promptIds, row }, i) => ({
      ...row,
      prompt: typeof prompts[i].given === "string" || Array.isArray(prompts[i].given) ? prompts[i].given : prompts[i].text,
      completion: texts[i],
      completion_ids: completions[i].ids,
      prompt_ids: promptIds,
    })),
  );
  const ends = new Set(stopIds);
  const byReward = [...results.byReward];
  return {
    episodes: completions.map(({ ids, logprobs, states }, i) => ({
      promptIds: Int32Array.from(rows[i].promptIds),
      completionIds: Int32Array.from(ids),
      ended: ends.has(ids[ids.length - 1]),
      logprobs: Float32Array.from(logprobs),
      referenceLogprobs: scored[i].logprobs,
      ...(states === undefined ? {} : { states }),
    })),
    scores: results.total,
    prompts: prompts.map(({ text }) => text),
    completions: texts,
    byReward: (i) => Object.fromEntries(byReward.flatMap(([name, scores]) => (scores[i] === null ? [] : [[name, scores[i]]]))),
    rewardMeans: Object.fromEntries(
      byReward.map(([name, scores]) => {
        const known = scores.filter((score) => score !== null);
        return [`rewards/${name}/mean`, known.reduce((sum, score) => sum + score, 0) / known.length];
      }),
    ),
  };
}

/** What ends a completion: TRL's `stop_token` or `stop_token_id`; with neither, nothing does. */
function findStopIds(config: PPOConfig, tokenizer: Tokenizer): number[] {
  if (config.stop_token_id !== null) return [config.stop_token_id];
  if (config.stop_token === null) return [];
  if (tokenizer.eosId === undefined)
    throw new SparError("recipe/invalid", "stop_token: eos, but the tokenizer has no end token", {
      hint: "give stop_token_id, or leave stop_token out",
    });
  return [tokenizer.eosId];
}
