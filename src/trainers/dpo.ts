/**
 * Direct preference optimisation, as TRL's DPOTrainer: no reward model and no sampling, only pairs and a reference.
 *
 *   L = mean over pairs of −log σ(β·[log π(c|x)/ρ(c|x) − log π(r|x)/ρ(r|x)]), and its relatives (losses/dpo.ts)
 *
 * A pair is one row [prompt | chosen | rejected] (pair-batch.ts); logits exist for completion tokens only. What the
 * reference ρ says of a pair is computed once (dpo-reference.ts).
 */
import { dirname, join } from "node:path";
import { preparePairs, type PreparedRows, type TokenizedPair } from "../data/index.ts";
import { readHubSettings } from "../hub/index.ts";
import { dpoLoss, sortingLossTypes, temperedLogprobs, weightedAccuracy, weightedEntropy } from "../losses/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { createParameters } from "../nn/index.ts";
import { add, detach, exp, input, log, matmul, mul, neg, reshape, slice, sub, sum, type Tensor } from "../tensor/index.ts";
import { batchPairTokens, PairTally, type PairTokenBatch } from "./dpo-batch.ts";
import type { DPOConfig } from "./dpo-config.ts";
import { createPairReference, createTable, precomputeLogps, sumSides, type LogpTable, type PairReference } from "./dpo-reference.ts";
import { createDPOSigns } from "./dpo-signs.ts";
import { describeRows, nonFiniteLoss } from "./non-finite.ts";
import { createOptimizer, optimizerConfig } from "./optimizer.ts";
import { scoredPairRow } from "./pair-batch.ts";
import { createRowStream } from "./row-stream.ts";
import { createStepProgram, type StepGraph } from "./step-program.ts";
import { scoreTokens, splitByLogits } from "./token-losses.ts";
import { freeGradients, selectTrainables } from "./trainables.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { planSteps, runTrainingLoop } from "./training-loop.ts";
import { checkPositions, findModel, openTraining, prepareOptions, type Training } from "./training-setup.ts";

export async function trainDPO(config: DPOConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const training = await openTraining(config, context, { head: "lm" });
  const undo: (() => unknown)[] = [() => training.close()];
  try {
    const { backend, model, datasets } = training;
    const prepare = async (dataset: typeof datasets.train, role?: "evaluation"): Promise<PairSet> => {
      const rows = await preparePairs(dataset, {
        ...prepareOptions(context, training, role),
        maxLength: config.max_length,
        overflow: "keep_start",
      });
      checkPositions(model, rows.lengths);
      return { rows, table: createTable(rows.count) };
    };
    const pairs = await prepare(datasets.train);
    const evaluation = datasets.evaluation === undefined ? undefined : await prepare(datasets.evaluation, "evaluation");
    const folder = config.ref_model_name_or_path === null ? training.folder : await findModel(config.ref_model_name_or_path, context);
    const reference = await createPairReference(backend, folder, { moving: config.sync_ref_model, expected: model });
    undo.push(() => reference.rest());
    if (config.precompute_ref_log_probs) await precompute(config, context, reference, { pairs, evaluation, model });
    return await train(config, context, training, { pairs, evaluation, reference });
  } finally {
    for (const step of undo.toReversed()) await step();
  }
}

interface PairSet {
  readonly rows: PreparedRows<TokenizedPair>;
  /** What the reference says of each. */
  readonly table: LogpTable;
}

interface Item {
  readonly pair: TokenizedPair;
  readonly index: number;
}

/** Before anything else takes memory, so that the reference's weights never stand beside the optimizer's. */
async function precompute(
  config: DPOConfig,
  { signal, tracker }: TrainingContext,
  reference: PairReference,
  { pairs, evaluation, model }: { pairs: PairSet; evaluation: PairSet | undefined; model: LanguageModel },
): Promise<void> {
  const { cacheDir } = await readHubSettings();
  const [train, evaluate] = [config.per_device_train_batch_size, config.per_device_eval_batch_size].map(
    (size) => config.precompute_ref_batch_size ?? size,
  );
  await precomputeLogps(
    reference,
    [{ ...pairs, batchSize: train }, ...(evaluation === undefined ? [] : [{ ...evaluation, batchSize: evaluate }])],
    {
      // Where TRL keeps its own: in Hugging Face's cache.
      cacheFolder: join(dirname(cacheDir), "spar", "reference-logps"),
      layout: { maxPositions: model.config.maxPositions, ldAlpha: config.ld_alpha },
      signal,
      onProgress: (progress) => tracker.progress(progress),
      onEvent: (event) => tracker.event(event),
    },
  );
  reference.rest();
}

async function train(
  config: DPOConfig,
  context: TrainingContext,
  training: Training,
  { pairs, evaluation, reference }: { pairs: PairSet; evaluation: PairSet | undefined; reference: PairReference },
): Promise<TrainingOutcome> {
  const { backend, model, resumePoint } = training;
  const trainables = selectTrainables(model, backend, config.num_layers_unfrozen);
  const program = createStepProgram(backend, model.parameters, trainables);
  const optimizer = await createOptimizer(backend, trainables, optimizerConfig(config));
  const stream = createRowStream(pairs.rows, config);
  const signs = createDPOSigns(config.beta);
  const layout = { maxPositions: model.config.maxPositions, ldAlpha: config.ld_alpha };
  let seenTokens = 0;

  /** Losses that are sums over pairs may be computed in parts; those that sort need their micro-batch whole, as in TRL. */
  const split = (items: readonly Item[]): readonly (readonly Item[])[] =>
    config.loss_type.some((type) => sortingLossTypes.has(type))
      ? [items]
      : splitByLogits(items, ({ pair }) => pair.chosenIds.length + pair.rejectedIds.length, model.config.vocabSize, mostLogits);

  /** The loss of some pairs; `tally` learns the rest. Each pair counts `pairShare`, each chosen token `tokenShare` (in sft). */
  const runPart = async (
    items: readonly Item[],
    mode: "train" | "add" | "evaluate",
    { table, tally, pairShare, tokenShare }: { table: LogpTable; tally: PairTally; pairShare: number; tokenShare: number },
  ): Promise<number> => {
    const batch = batchPairTokens(
      items.map(({ pair }) => pair),
      layout,
    );
    const said = await reference.logps(
      batch,
      table,
      items.map(({ index }) => index),
    );
    const inputs = {
      ...batch.inputs,
      reference: said,
      weights: new Float32Array(batch.room).fill(pairShare, 0, items.length),
      tokenShare: Float32Array.of(tokenShare),
    };
    const build = (): StepGraph => buildStep(model, batch, config);
    const key = `${mode === "evaluate" ? "eval " : ""}${batch.shape}`;
    const results = await program.run(key, mode === "evaluate" ? () => ({ metrics: build().metrics }) : build, inputs, {
      add: mode === "add",
    });
    const { logps, logits } = results;
    tally.add(batch, { logps, logits, entropy: results["entropy"][0], hits: results["hits"][0] }, said, config.beta);
    return results["loss"][0];
  };

  const evaluate = async ({ rows, table }: PairSet): Promise<{ [name: string]: number }> => {
    const tally = new PairTally();
    const shares = { pairShare: 1 / rows.count, tokenShare: 1 / Math.max(1, await countChosen(rows)) };
    let loss = 0;
    const size = config.per_device_eval_batch_size;
    for (let from = 0; from < rows.count; from += size) {
      const indices = Array.from({ length: Math.min(size, rows.count - from) }, (_, i) => from + i);
      const items = await Promise.all(indices.map(async (index) => ({ pair: await rows.read(index), index })));
      for (const part of split(items)) loss += await runPart(part, "evaluate", { table, tally, ...shares });
    }
    return { eval_loss: loss, ...Object.fromEntries(Object.entries(tally.describe()).map(([name, value]) => [`eval_${name}`, value])) };
  };

  /** What a fixed reference will not be asked again it need not be there for. */
  const restReference = (): void => {
    const tables = [pairs.table, ...(evaluation === undefined ? [] : [evaluation.table])];
    if (!config.sync_ref_model && !tables.some((table) => table.some(Number.isNaN))) reference.rest();
  };

  return runTrainingLoop(
    config,
    context,
    {
      ...planSteps(config, stream.batchesPerEpoch),
      async step(step, learningRate) {
        const batches = await stream.next();
        const all = batches.flatMap(({ rows }) => rows);
        const chosenTokens = all.reduce((total, pair) => total + scoredPairRow(pair).chosenCount, 0);
        const shares = { pairShare: 1 / all.length, tokenShare: 1 / Math.max(1, chosenTokens) };
        let loss = 0;
        let runs = 0;
        let tokens = 0;
        const metrics: { [name: string]: number } = {};
        for (const { rows, indices } of batches) {
          const tally = new PairTally();
          for (const part of split(rows.map((pair, i) => ({ pair, index: indices[i] })))) {
            const partLoss = await runPart(part, runs++ > 0 ? "add" : "train", { table: pairs.table, tally, ...shares });
            if (!Number.isFinite(partLoss)) throw nonFiniteLoss(partLoss, indices, pairs.rows, trainables);
            loss += partLoss;
          }
          tokens += tally.seenTokens;
          for (const [name, value] of Object.entries(tally.describe())) metrics[name] = (metrics[name] ?? 0) + value / batches.length;
        }
        const gradNorm = await optimizer.update(learningRate, () =>
          describeRows(
            batches.flatMap(({ indices }) => indices),
            pairs.rows,
          ),
        );
        seenTokens += tokens;
        if (config.sync_ref_model && step % config.ref_model_sync_steps === 0) {
          await reference.moveTowards(model, config.ref_model_mixup_alpha);
        }
        restReference();
        for (const event of signs.watch(step, metrics)) context.tracker.event(event);
        return { loss, gradNorm, metrics, latest: { num_tokens: seenTokens }, tokens };
      },
      ...(evaluation === undefined ? {} : { evaluate: () => evaluate(evaluation) }),
      save: training.save,
      *buffers() {
        yield* optimizer.moments();
        if (config.sync_ref_model) yield* reference.buffers();
        else yield ["reference_logps", pairs.table];
      },
      getState: () => ({ steps: optimizer.steps, cursor: stream.cursor, seenTokens, signs: signs.state }),
      async restore(state, read) {
        await optimizer.restore(state["steps"] as number, read);
        if (config.sync_ref_model) await reference.restore(read);
        else await read("reference_logps", pairs.table);
        stream.cursor = state["cursor"] as typeof stream.cursor;
        seenTokens = state["seenTokens"] as number;
        signs.state = state["signs"];
      },
    },
    resumePoint,
  ).finally(() => {
    program.release();
    optimizer.release();
    freeGradients(trainables);
  });
}

async function countChosen(rows: PreparedRows<TokenizedPair>): Promise<number> {
  let count = 0;
  for (let i = 0; i < rows.count; i++) count += scoredPairRow(await rows.read(i)).chosenCount;
  return count;
}

/** Half of what others hold at a time: a reference model stands beside the policy, and two parts cost 4 % of a step's time. */
const mostLogits = 2 ** 24;

function buildStep(model: LanguageModel, batch: PairTokenBatch, config: DPOConfig): StepGraph {
  const { scored, room } = batch;
  const { logits, labels, real } = scoreTokens(model, createParameters(), scored, { checkpointing: config.gradient_checkpointing });
  const { logprobs, logSoftmax } = temperedLogprobs(logits, labels);
  const logps = sumSides(logprobs, batch, "sums");
  const halves = (sides: Tensor): [Tensor, Tensor] => [slice(sides, 0, 0, room), slice(sides, 0, room, 2 * room)];
  const [chosen, rejected] = halves(logps);
  const [referenceChosen, referenceRejected] = halves(input("reference", "float32", [2 * room]));
  const [chosenLengths, rejectedLengths] = halves(input("lengths", "float32", [2 * room]));
  const sides = input("sides", "float32", [2, scored.scored]);
  const isChosen = reshape(slice(sides, 0, 0, 1), [scored.scored]);
  const meanLogits = mul(sum(logits, [1], true), 1 / model.config.vocabSize);
  const observed = {
    entropy: weightedEntropy(logSoftmax, real),
    hits: weightedAccuracy(logSoftmax, labels, isChosen),
    logits: reshape(matmul(sides, meanLogits), [2]),
  };
  const weights = input("weights", "float32", [room]);
  const loss = dpoLoss(
    {
      chosen,
      rejected,
      referenceChosen,
      referenceRejected,
      chosenLengths,
      rejectedLengths,
      weights: config.use_weighting ? mul(weights, weighPairs(batch, logprobs, logSoftmax)) : weights,
      ...(config.loss_type.includes("sft")
        ? { chosenNLL: neg(mul(sum(mul(isChosen, logprobs)), reshape(input("tokenShare", "float32", [1]), []))) }
        : {}),
    },
    {
      losses: config.loss_type.map((type, i) => ({ type, weight: config.loss_weights?.[i] ?? 1 })),
      beta: config.beta,
      labelSmoothing: config.label_smoothing,
      discopopTau: config.discopop_tau,
      divergence: config.f_divergence_type,
      alpha: config.f_alpha_divergence_coef,
    },
  );
  return { loss, metrics: { loss, logps, ...observed } };
}

/** [P] how likely the model is to write both completions, a token, relative to what it would write itself (Zhou et al. 2024, arXiv 2406.11827, eq. 2). */
function weighPairs(batch: PairTokenBatch, logprobs: Tensor, logSoftmax: Tensor): Tensor {
  const [M, V] = logSoftmax.shape;
  const p = exp(logSoftmax);
  const sumOfSquares = reshape(matmul(reshape(p, [M, 1, V]), reshape(p, [M, V, 1])), [M]);
  const means = sumSides(sub(logprobs, log(sumOfSquares)), batch, "means");
  return detach(exp(add(slice(means, 0, 0, batch.room), slice(means, 0, batch.room, 2 * batch.room))));
}
