/**
 * PPO on a language model, every step in sight: sample, score, estimate advantages, take clipped steps. The same parts
 * make spar's own trainer (src/trainers/ppo.ts), which adds batching, evaluation, checkpoints and resuming.
 *
 * After `npm run build`: node examples/ppo-from-scratch.ts (Node 22.18 or newer; examples/README.md says how on Node 20).
 */
import { pathToFileURL } from "node:url";
import * as spar from "spar";

export interface Settings {
  model: string; // folder of a language model
  prompts: readonly string[]; // what completions continue
  reward: string; // whatever `reward_funcs` of a recipe may name
  rounds: number; // so often: sample, then learn
  batch: number; // completions in a round
  newTokens: number; // of a completion, at most
  passes: number; // optimizer steps on each round's completions
  learningRate: number;
  klCoef: number; // β: what a nat away from the untrained model costs, in reward
  seed: number;
}

export const defaults: Settings = {
  model: "models/tiny-reviews",
  prompts: ["the film", "this movie is", "the story", "the acting", "the director", "in the end ,", "the cast", "it is"],
  reward: "rule:sentiment",
  rounds: 30,
  batch: 32,
  newTokens: 24,
  passes: 4,
  learningRate: 3e-4,
  klCoef: 0.1,
  seed: 1,
};

export interface Round {
  round: number;
  /** Mean reward of this round's completions, and their mean distance from the untrained model in nats. */
  score: number;
  kl: number;
  sample: string;
}

export async function trainFromScratch(settings: Settings, onRound: (round: Round) => void): Promise<Round[]> {
  const { batch, newTokens, seed } = settings;
  const backend = spar.createCpuBackend();
  const tokenizer = await spar.loadTokenizer(settings.model);
  const policy = await spar.loadModel(settings.model, backend, { head: "lm" });
  const reference = await spar.copyModel(policy, backend);
  const generator = spar.createGenerator(policy, backend, { maxBatch: batch, tokenizer });
  const scorer = spar.createScorer(reference, backend, { maxRows: batch });
  const rewards = await spar.createRewards([settings.reward], { folder: "." });
  const promptIds = settings.prompts.map((prompt) => tokenizer.encode(prompt));
  const learner = await createLearner(backend, policy, settings, Math.max(...promptIds.map((ids) => ids.length)) + newTokens);
  const stopIds = tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
  const rounds: Round[] = [];

  for (let round = 0; round < settings.rounds; round++) {
    // 1. Completions of the policy as it is now. promptIndex counts on, so that every one has random numbers of its own.
    const given = Array.from({ length: batch }, (_, i) => promptIds[i % promptIds.length]);
    const requests = given.map((ids, i) => ({ promptIds: ids, promptIndex: round * batch + i }));
    const completions = await generator.generate(requests, { maxNewTokens: newTokens, temperature: 1, topK: 0, topP: 1, stopIds, seed });

    // 2. What they are worth, and how likely the untrained model finds them.
    const rows = completions.map(({ ids, text }, i) => ({
      prompt: tokenizer.decode(given[i]),
      prompt_ids: given[i],
      completion: text ?? "",
      completion_ids: ids,
    }));
    const { total: scores } = await rewards.score(rows);
    const references = await scorer.logprobs(completions.map(({ ids }, i) => ({ ids: [...given[i], ...ids], from: given[i].length })));

    // 3. The value head's guesses, and from all this an advantage for every token.
    const rollouts: spar.Rollout[] = completions.map(({ ids, logprobs, finishReason }, i) => ({
      promptIds: Int32Array.from(given[i]),
      completionIds: Int32Array.from(ids),
      ended: finishReason === "stop",
      logprobs: Float32Array.from(logprobs),
      referenceLogprobs: references[i].logprobs,
      values: new Float32Array(ids.length),
      score: scores[i],
    }));
    await learner.estimateValues(rollouts);
    const discount = { gamma: 1, lambda: 0.95, whitenRewards: false, whitenAdvantages: true };
    const targets = spar.computeTargets(rollouts, { klCoef: settings.klCoef, ...discount });

    // 4. A few steps on the same completions; clipping keeps the policy near the one that sampled them.
    for (let pass = 0; pass < settings.passes; pass++) await learner.step(rollouts, targets);
    generator.refresh();

    const kl = mean(targets.kl.map((row) => row.reduce((a, b) => a + b, 0)));
    rounds.push({ round, score: mean(scores), kl, sample: rows[0].prompt + rows[0].completion });
    onRound(rounds[round]);
  }
  for (const part of [generator, scorer, rewards, learner]) part.release();
  backend.close(); // the models' memory with it
  return rounds;
}

/** The policy's trunk with two heads: logits, and a value head that starts at zero. All batches have the same shape. */
async function createLearner(backend: spar.Backend, policy: spar.LanguageModel, settings: Settings, time: number) {
  const { architecture, config } = policy;
  const { batch, newTokens, learningRate } = settings;
  const tokens = batch * newTokens;
  const valueHeadShapes = { "value_head.weight": [1, config.hiddenSize], "value_head.bias": [1] };
  const head = Object.entries(valueHeadShapes).map(([name, shape]) => {
    const type = { dtype: "float32" as const, shape };
    return { name, value: backend.allocate(type), gradient: backend.allocate(type) };
  });
  const trainables = [...spar.selectTrainables(policy, backend, -1), ...head];
  const parameters = new Map(trainables.map(({ name, value }) => [name, value]));
  const program = spar.createStepProgram(backend, parameters, trainables);
  const adamw = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  const optimizer = await spar.createOptimizer(backend, trainables, adamw);

  const buildGraph = (): { values: spar.tensor.Tensor; loss: spar.tensor.Tensor } => {
    const given = (name: string): spar.tensor.Tensor => spar.tensor.input(name, "float32", [tokens]);
    const p = spar.createParameters();
    const trunk = architecture.trunk(config, p, spar.createFullSequence(batch, time), (block) => block());
    // The hidden state at position t is what token t + 1 was drawn from: it carries that token's log-prob and value.
    const states = spar.tensor.gather(trunk, spar.tensor.input("states", "int32", [tokens]));
    const values = spar.valueHead(p, states);
    const { logprobs } = spar.temperedLogprobs(architecture.head(config, p, states), spar.tensor.input("labels", "int32", [tokens]));
    const weights = given("weights");
    const policyInputs = { logprobs, oldLogprobs: given("oldLogprobs"), advantages: given("advantages"), weights };
    const valueInputs = { values, oldValues: given("oldValues"), returns: given("returns"), weights };
    const policyLoss = spar.clippedPolicyLoss(policyInputs, { clipLow: 0.2 }).loss;
    const valueLoss = spar.clippedValueLoss(valueInputs, { clip: 0.2 }).loss;
    return { values, loss: spar.tensor.add(policyLoss, spar.tensor.mul(valueLoss, 0.1)) };
  };
  const feed = (rollouts: readonly spar.Rollout[]): { [name: string]: spar.tensor.TensorData } => {
    const rows = rollouts.map(({ promptIds, completionIds }) => ({ ids: [...promptIds, ...completionIds] }));
    const { ids, positions, bias } = spar.batchRows(rows, batch, time);
    const states = rollouts.map((row, b) => row.completionIds.map((_, t) => b * time + row.promptIds.length - 1 + t));
    const labels = rollouts.map((row) => row.completionIds);
    return { ids, positions, bias, states: Int32Array.from(join(states, tokens)), labels: Int32Array.from(join(labels, tokens)) };
  };
  return {
    async estimateValues(rollouts: readonly spar.Rollout[]): Promise<void> {
      const { values } = await program.run("values", () => ({ metrics: { values: buildGraph().values } }), feed(rollouts));
      let from = 0;
      for (const row of rollouts) row.values.set(values.subarray(from, (from += row.values.length)));
    },
    async step(rollouts: readonly spar.Rollout[], { advantages, returns }: ReturnType<typeof spar.computeTargets>): Promise<void> {
      const flatten = (pick: (row: spar.Rollout) => ArrayLike<number>): Float32Array => join(rollouts.map(pick), tokens);
      const count = rollouts.reduce((sum, row) => sum + row.completionIds.length, 0);
      const inputs = {
        ...feed(rollouts),
        oldLogprobs: flatten((row) => row.logprobs),
        oldValues: flatten((row) => row.values),
        advantages: join(advantages, tokens),
        returns: join(returns, tokens),
        weights: new Float32Array(tokens).fill(1 / count, 0, count), // 0: padding
      };
      await program.run("step", () => ({ loss: buildGraph().loss, metrics: {} }), inputs);
      await optimizer.update(learningRate);
    },
    release() {
      program.release();
      optimizer.release();
    },
  };
}

/** Rows one after the other, zeros at the end. */
function join(rows: readonly ArrayLike<number>[], length: number): Float32Array {
  const joined = new Float32Array(length);
  let at = 0;
  for (const row of rows) {
    joined.set(row, at);
    at += row.length;
  }
  return joined;
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => a + b, 0) / values.length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const settings = { ...defaults, ...(process.argv[2] === undefined ? {} : { model: process.argv[2] }) };
  await trainFromScratch(settings, ({ round, score, kl, sample }) => {
    console.log(`round ${round}  reward ${score.toFixed(3)}  KL ${kl.toFixed(2)}  ${JSON.stringify(sample)}`);
  });
}
