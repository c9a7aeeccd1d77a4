/**
 * What PPO does with rollouts: values, targets, and some passes of clipped policy and value updates
 * (Schulman et al. 2017, arXiv 1707.06347; details as TRL 0.12.2's PPOTrainer).
 *
 *   L = Σ w·max(−A·ρ, −A·clip(ρ, 1±ε)) + c_v · ½ Σ w·max((V−G)², (clip(V, V_old±ε_v)−G)²),  ρ = π/π_old
 *
 * Values come from a head on the policy's trunk, or from a model of their own.
 */
import { clippedPolicyLoss, clippedValueLoss, temperedLogprobs, weightedEntropy } from "../losses/index.ts";
import { scoreHead, valueHead, valueHeadNames, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters, type Parameters } from "../nn/index.ts";
import { Random, uniformAt } from "../internal/rng.ts";
import { computeTargets, countStates, summarizeObjective, type KLOptions } from "../rollout/index.ts";
import { bucketLength, rowsPerPass, type Backend } from "../runtime/index.ts";
import { add, gather, input, mul, type Tensor } from "../tensor/index.ts";
import { nonFiniteStep } from "./non-finite.ts";
import { createOptimizer, type Optimizer, type OptimizerConfig, type Trainable } from "./optimizer.ts";
import { batchLessons, makeLessons, type Episode, type Lesson, type PPOBatch } from "./ppo-batch.ts";
import type { PPOConfig } from "./ppo-config.ts";
import { createStepProgram, type StepGraph, type StepProgram } from "./step-program.ts";
import { blockRunner, scoreTokens, splitByLogits } from "./token-losses.ts";
import { discardGradients, freeGradients, selectTrainables } from "./trainables.ts";

/** An episode before its values are known. */
export interface SampledEpisode extends Omit<Episode, "values"> {
  /** [L] of [C]: the policy's hidden states that its tokens were drawn from, where the caller has them. */
  readonly states?: readonly Float32Array[];
}

export interface PPOLearner {
  /** One update from a batch of episodes: values, targets, `num_ppo_epochs` passes. Metrics have TRL's names. */
  update(
    samples: readonly SampledEpisode[],
    options: {
      update: number;
      learningRate: number;
      klCoef: number;
      /** Where each sample's prompt comes from, for errors. */
      places?: readonly string[];
    },
  ): Promise<{ [metric: string]: number }>;
  /** Everything beside the policy's weights that a resumed run needs. */
  buffers(): Iterable<readonly [name: string, data: Float32Array]>;
  readonly steps: number;
  restore(steps: number, read: (name: string, target: Float32Array) => Promise<void>): Promise<void>;
  release(): void;
}

export async function createPPOLearner(
  config: PPOConfig,
  backend: Backend,
  policy: LanguageModel,
  valueModel: LanguageModel | undefined,
): Promise<PPOLearner> {
  const checkpointing = config.gradient_checkpointing;
  const limits = { maxPositions: policy.config.maxPositions, responseLength: config.response_length };
  const trainables = selectTrainables(policy, backend, config.num_layers_unfrozen);
  const head = valueModel === undefined ? createValueHead(policy, backend) : [];
  const valueTrainables = valueModel === undefined ? [] : selectTrainables(valueModel, backend, config.num_layers_unfrozen);
  const trained = [...trainables, ...head, ...valueTrainables];
  const parameters = new Map([...policy.parameters, ...head.map(({ name, value }) => [name, value] as const)]);
  const policyProgram = createStepProgram(backend, parameters, [...trainables, ...head]);
  const valueProgram = valueModel === undefined ? policyProgram : createStepProgram(backend, valueModel.parameters, valueTrainables);
  // TRL's PPO trainer never clips gradients, whatever max_grad_norm says.
  const optimizerConfig: OptimizerConfig = {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
    maxGradNorm: 0,
  };
  const optimizer = await createOptimizer(backend, [...trainables, ...head], optimizerConfig);
  const valueOptimizer = valueModel === undefined ? undefined : await createOptimizer(backend, valueTrainables, optimizerConfig);
  const optimizers: readonly [string, Optimizer][] = [
    ["policy", optimizer],
    ...(valueOptimizer === undefined ? [] : [["value", valueOptimizer] as [string, Optimizer]]),
  ];
  /** Values trained beside the policy, which a policy's checkpoint does not hold. */
  const valueParameters: readonly Trainable[] = valueModel === undefined ? head : valueTrainables;

  const valuesOf = (trunk: Tensor, p: Parameters, states: number): Tensor => {
    const hidden = gather(trunk, input("stateRows", "int32", [states]));
    return valueModel === undefined ? valueHead(p, hidden) : scoreHead(p, hidden);
  };
  const valueTrunk = (p: Parameters, { batch, time }: PPOBatch): Tensor => {
    const model = valueModel ?? policy;
    return model.architecture.trunk(model.config, p, createFullSequence(batch, time), blockRunner(checkpointing));
  };
  const valueLoss = (values: Tensor, states: number): { loss: Tensor; clipped: Tensor } => {
    const given = (name: string): Tensor => input(name, "float32", [states]);
    return clippedValueLoss(
      { values, oldValues: given("oldValues"), returns: given("returns"), weights: given("stateWeights") },
      { clip: config.cliprange_value },
    );
  };

  const buildPolicyStep = (batch: PPOBatch): StepGraph => {
    const p = createParameters();
    const { trunk, logits, labels, real } = scoreTokens(policy, p, batch, { checkpointing });
    const { logprobs, logSoftmax } = temperedLogprobs(logits, labels, config.temperature);
    const given = (name: string): Tensor => input(name, "float32", [batch.scored]);
    const losses = clippedPolicyLoss(
      { logprobs, oldLogprobs: given("oldLogprobs"), advantages: given("advantages"), weights: given("weights") },
      { clipLow: config.cliprange },
    );
    const metrics = {
      policyLoss: losses.loss,
      clipped: losses.clipped,
      approximateKL: losses.approximateKL,
      ratio: losses.ratio,
      entropy: weightedEntropy(logSoftmax, real),
    };
    if (valueModel !== undefined) return { loss: losses.loss, metrics };
    const value = valueLoss(valuesOf(trunk, p, batch.states), batch.states);
    return {
      loss: add(losses.loss, mul(value.loss, config.vf_coef)),
      metrics: { ...metrics, valueLoss: value.loss, valueClipped: value.clipped },
    };
  };
  const buildValueStep = (batch: PPOBatch): StepGraph => {
    const p = createParameters();
    const { loss, clipped } = valueLoss(valuesOf(valueTrunk(p, batch), p, batch.states), batch.states);
    return { loss: mul(loss, config.vf_coef), metrics: { valueLoss: loss, valueClipped: clipped } };
  };

  async function runStep(
    program: StepProgram,
    key: string,
    build: (batch: PPOBatch) => StepGraph,
    batch: PPOBatch,
    add: boolean,
  ): Promise<{ [metric: string]: number }> {
    const results = await program.run(`${key} ${batch.shape}`, () => build(batch), batch.inputs, { add });
    return Object.fromEntries(Object.entries(results).map(([name, values]) => [name, values[0]]));
  }

  /** Values of all states of the samples, in their order. Of a sample that was sampled with all its states only the head is left to do. */
  async function estimateValues(samples: readonly SampledEpisode[]): Promise<Episode[]> {
    const values = new Map<SampledEpisode, Float32Array>();
    const put = (members: readonly SampledEpisode[], all: Float32Array): void => {
      let at = 0;
      for (const sample of members) values.set(sample, all.slice(at, (at += statesOf(sample))));
    };
    const seen = samples.filter((sample) => sample.states?.length === statesOf(sample));
    for (const chunk of chunks(seen, config.local_rollout_forward_batch_size)) {
      const rows = chunk.flatMap(({ states = [] }) => states);
      const count = bucketLength(rows.length);
      const states = new Float32Array(count * policy.config.hiddenSize);
      for (const [i, row] of rows.entries()) states.set(row, i * row.length);
      const head = (): StepGraph => ({
        metrics: { values: valueHead(createParameters(), input("states", "float32", [count, policy.config.hiddenSize])) },
      });
      put(chunk, (await policyProgram.run(`head ${count}`, head, { states }))["values"]);
    }

    const others = samples.filter((sample) => !values.has(sample));
    const longest = Math.max(1, ...others.map(({ promptIds, completionIds }) => promptIds.length + completionIds.length));
    for (const chunk of chunks(others, Math.min(config.local_rollout_forward_batch_size, rowsPerPass(longest)))) {
      const lessons: Lesson[] = chunk.map((sample) => {
        const zeros = new Float32Array(statesOf(sample));
        return { episode: { ...sample, values: zeros }, advantages: new Float32Array(sample.completionIds.length), returns: zeros };
      });
      const batch = batchLessons(lessons, limits, { tokens: 1, states: 1 });
      const forward = (): StepGraph => {
        const p = createParameters();
        return { metrics: { values: valuesOf(valueTrunk(p, batch), p, batch.states) } };
      };
      put(chunk, (await valueProgram.run(`values ${batch.shape}`, forward, batch.inputs))["values"]);
    }
    return samples.map((sample) => ({ ...sample, values: values.get(sample) as Float32Array }));
  }
  const statesOf = ({ completionIds }: SampledEpisode): number => countStates(completionIds.length, config.response_length);

  return {
    async update(samples, { update, learningRate, klCoef, places = [] }) {
      const episodes = await estimateValues(samples);
      const kl = { estimator: config.kl_estimator };
      const targets = computeTargets(episodes, {
        klCoef,
        kl,
        gamma: config.gamma,
        lambda: config.lam,
        whitenRewards: config.whiten_rewards,
        whitenAdvantages: config.whiten_advantages,
      });
      const lessons = makeLessons(episodes, targets);
      const miniBatchSize = Math.ceil(lessons.length / config.num_mini_batches);
      const width = Math.max(...episodes.map((episode) => episode.completionIds.length + (episode.trailingIds?.length ?? 0)));
      const passes: { [metric: string]: number }[] = [];

      for (let epoch = 0; epoch < config.num_ppo_epochs; epoch++) {
        const shuffled = new Random(Math.floor(uniformAt(config.seed, update, epoch, shufflePurpose) * 2 ** 32)).shuffle([...lessons]);
        for (const miniBatch of chunks(shuffled, miniBatchSize)) {
          const counts = { tokens: 0, states: 0, scored: 0 };
          for (const { episode } of miniBatch) {
            counts.tokens += episode.completionIds.length;
            counts.states += episode.values.length;
            counts.scored += episode.completionIds.length + (episode.trailingIds?.length ?? 0);
          }
          const batch = (): string => miniBatch.map((lesson) => places[lessons.indexOf(lesson)] ?? "?").join(", ");
          const sums: { [metric: string]: number } = {};
          const microBatches = chunks(miniBatch, config.per_device_train_batch_size).flatMap((rows) =>
            splitByLogits(rows, ({ episode }) => episode.completionIds.length, policy.config.vocabSize),
          );
          for (const [i, microBatch] of microBatches.entries()) {
            const inputs = batchLessons(microBatch, limits, counts);
            const results = {
              ...(await runStep(policyProgram, "ppo", buildPolicyStep, inputs, i > 0)),
              ...(valueModel === undefined ? {} : await runStep(valueProgram, "value", buildValueStep, inputs, i > 0)),
            };
            for (const [name, value] of Object.entries(results)) sums[name] = (sums[name] ?? 0) + value;
          }
          if (!Number.isFinite(sums["policyLoss"] + sums["valueLoss"])) {
            const what = `the policy's loss is ${sums["policyLoss"]}, the value's ${sums["valueLoss"]} in pass ${epoch + 1}`;
            throw nonFiniteStep(what, batch(), trained);
          }
          for (const [, each] of optimizers) await each.update(learningRate, batch);
          passes.push(describePass(sums, counts, miniBatch.length * width));
        }
      }
      // Sampling comes next, with packed weights and caches.
      discardGradients(trained);
      return describeUpdate(episodes, passes, { klCoef, width, kl });
    },
    *buffers() {
      for (const [owner, each] of optimizers) for (const [name, data] of each.moments()) yield [`${owner}.${name}`, data];
      for (const { name, value } of valueParameters) yield [`value_model.${name}`, value.host as Float32Array];
    },
    get steps() {
      return optimizer.steps;
    },
    async restore(steps, read) {
      for (const [owner, each] of optimizers) await each.restore(steps, (name, target) => read(`${owner}.${name}`, target));
      for (const { name, value } of valueParameters) await read(`value_model.${name}`, value.host as Float32Array);
    },
    release() {
      policyProgram.release();
      if (valueProgram !== policyProgram) valueProgram.release();
      for (const [, each] of optimizers) each.release();
      freeGradients(trained);
      for (const { value } of head) value.free();
    },
  };
}

/** Separates the order of passes from other uses of the seed. */
const shufflePurpose = 0x990;

/** Zeros: at the start no state is better than another. */
function createValueHead(policy: LanguageModel, backend: Backend): Trainable[] {
  const shapes = [[1, policy.config.hiddenSize], [1]];
  return valueHeadNames.map((name, i) => {
    const type = { dtype: "float32" as const, shape: shapes[i] };
    return { name, value: backend.allocate(type), gradient: backend.allocate(type) };
  });
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** TRL's numbers of one optimizer step. Its means over tokens count padding too, as no change: `padded` is tokens with padding. */
function describePass(
  sums: { readonly [metric: string]: number },
  counts: { tokens: number; states: number; scored: number },
  padded: number,
): { [metric: string]: number } {
  return {
    "policy/approxkl_avg": sums["approximateKL"] / padded,
    "policy/clipfrac_avg": sums["clipped"] / counts.tokens,
    "loss/policy_avg": sums["policyLoss"],
    "loss/value_avg": sums["valueLoss"],
    "val/clipfrac_avg": sums["valueClipped"] / counts.states,
    "policy/entropy_avg": sums["entropy"] / counts.scored,
    "val/ratio": (sums["ratio"] + padded - counts.tokens) / padded,
  };
}

function describeUpdate(
  episodes: readonly Episode[],
  passes: readonly { readonly [metric: string]: number }[],
  options: { klCoef: number; width: number; kl: KLOptions },
): { [metric: string]: number } {
  const objective = summarizeObjective(episodes, options.klCoef, { ...options.kl, responseLength: options.width });
  const mean = (name: string): number => passes.reduce((sum, pass) => sum + pass[name], 0) / passes.length;
  const ratio = mean("val/ratio");
  const variance = passes.reduce((sum, pass) => sum + (pass["val/ratio"] - ratio) ** 2, 0) / Math.max(1, passes.length - 1);
  return {
    "objective/kl": objective.kl,
    "objective/entropy": objective.entropy,
    "objective/non_score_reward": objective.nonScoreReward,
    "objective/rlhf_reward": objective.rlhfReward,
    "objective/scores": objective.scores,
    ...Object.fromEntries(Object.keys(passes[0]).map((name) => [name, mean(name)])),
    "val/ratio_var": variance,
    "val/num_eos_tokens": episodes.filter(({ ended }) => ended).length,
  };
}
