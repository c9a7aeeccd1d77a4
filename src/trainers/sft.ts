/**
 * Supervised fine-tuning: cross-entropy on completions (or on all text), as TRL's SFTTrainer.
 *
 *   L = − Σ log π(yₜ | y₍<t₎) ÷ (number of such tokens in the whole accumulated batch)
 */
import type { JsonValue } from "../checkpoint/index.ts";
import { createLoader, packPreparedTexts, prepareTexts, type PackedText, type PreparedRows, type TokenizedText } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { crossEntropy, crossEntropyMetrics } from "../losses/index.ts";
import { saveModel, type LanguageModel } from "../models/index.ts";
import { createParameters } from "../nn/index.ts";
import { input } from "../tensor/index.ts";
import { createOptimizer } from "./optimizer.ts";
import type { SFTConfig } from "./sft-config.ts";
import { createStepProgram, type StepGraph, type StepProgram } from "./step-program.ts";
import { nonFiniteLoss } from "./non-finite.ts";
import { batchScoredRows, scoreTokens, type ScoredBatch, type ScoredRow } from "./token-losses.ts";
import { selectTrainables } from "./trainables.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { planSteps, runTrainingLoop } from "./training-loop.ts";
import { openTraining, prepareOptions, type Training } from "./training-setup.ts";

export async function trainSFT(config: SFTConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const training = await openTraining(config, context, { head: "lm" });
  try {
    return await train(config, context, training);
  } finally {
    await training.close();
  }
}

async function train(config: SFTConfig, context: TrainingContext, training: Training): Promise<TrainingOutcome> {
  const { backend, model, resumePoint } = training;
  const rows = await prepare(config, context, training, training.datasets.train, config.packing);
  const evaluation = training.datasets.evaluation === undefined ? undefined : await prepare(config, context, training, training.datasets.evaluation, config.eval_packing ?? config.packing);
  const trainables = selectTrainables(model, backend, config.num_layers_unfrozen);
  const program = createStepProgram(backend, model.parameters, trainables);
  const optimizer = await createOptimizer(backend, trainables, {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
    maxGradNorm: config.max_grad_norm,
  });
  const loaderOptions = {
    count: rows.count,
    batchSize: config.per_device_train_batch_size,
    seed: config.data_seed ?? config.seed,
    samplingStrategy: config.train_sampling_strategy,
    lengths: rows.lengths,
    dropLast: config.dataloader_drop_last,
  };
  let loader = createLoader(loaderOptions);
  let seenTokens = 0;

  return runTrainingLoop(
    config,
    context,
    {
      ...planSteps(config, loader.batchesPerEpoch),
      async step(_step, learningRate) {
        const batches: { scored: ScoredBatch; indices: number[]; tokens: number }[] = [];
        for (let i = 0; i < config.gradient_accumulation_steps; i++) {
          const { indices, isLastOfEpoch } = loader.next();
          const texts = await Promise.all(indices.map((index) => rows.read(index)));
          const tokens = texts.reduce((sum, text) => sum + text.inputIds.length, 0);
          batches.push({ scored: batchScoredRows(texts.map(scoredRow), model.config.maxPositions), indices, tokens });
          if (isLastOfEpoch) break;
        }
        // Token-sum over token-count of all micro-batches: 1×8 and 8×1 are the same step.
        const total = batches.reduce((sum, { scored }) => sum + scored.count, 0);
        let loss = 0;
        const metrics = { entropy: 0, mean_token_accuracy: 0 };
        for (const [i, { scored, indices }] of batches.entries()) {
          const result = await runBatch(program, model, scored, 1 / total, { add: i > 0, checkpointing: config.gradient_checkpointing });
          if (!Number.isFinite(result.loss)) throw nonFiniteLoss(result.loss, indices, rows);
          loss += result.loss;
          metrics.entropy += result.entropy / scored.count / batches.length;
          metrics.mean_token_accuracy += result.accuracy / scored.count / batches.length;
        }
        const gradNorm = await optimizer.update(learningRate);
        const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
        seenTokens += tokens;
        return { loss, gradNorm, metrics, latest: { num_tokens: seenTokens }, tokens };
      },
      ...(evaluation === undefined ? {} : { evaluate: () => evaluate(config, program, model, evaluation) }),
      save: (folder) => saveModel(model, folder),
      buffers: () => optimizer.moments(),
      getState: () => ({ steps: optimizer.steps, cursor: loader.cursor, seenTokens }),
      async restore(state: { readonly [key: string]: JsonValue }, read) {
        await optimizer.restore(state["steps"] as number, read);
        loader = createLoader({ ...loaderOptions, cursor: state["cursor"] as { epoch: number; position: number } });
        seenTokens = state["seenTokens"] as number;
      },
    },
    resumePoint,
  ).finally(() => {
    program.release();
    optimizer.release();
  });
}

async function prepare(config: SFTConfig, context: TrainingContext, training: Training, dataset: Training["datasets"]["train"], packing: boolean): Promise<PreparedRows<PackedText>> {
  const texts = await prepareTexts(dataset, {
    ...prepareOptions(context, training),
    textColumn: config.dataset_text_field,
    maxLength: packing ? null : config.max_length,
    ...(config.completion_only_loss === null ? {} : { completionOnlyLoss: config.completion_only_loss }),
    assistantOnlyLoss: config.assistant_only_loss,
  });
  if (!packing) return texts;
  if (config.max_length === null) throw new SparError("recipe/invalid", "packing: expected max_length, the length of the rows to fill; got null");
  return packPreparedTexts(texts, { maxLength: config.max_length, strategy: config.packing_strategy });
}

/** Every masked-in token but the first of its row is predicted from the one before it; packed texts do not see each other. */
export function scoredRow(text: TokenizedText & { seqLengths?: readonly number[] }): ScoredRow {
  const from: number[] = [];
  const targets: number[] = [];
  for (let t = 1; t < text.inputIds.length; t++) {
    if (text.completionMask[t] === 0) continue;
    from.push(t - 1);
    targets.push(text.inputIds[t]);
  }
  if (text.seqLengths === undefined) return { ids: text.inputIds, from, targets };
  const documents = text.seqLengths.flatMap((length, document) => new Array<number>(length).fill(document));
  const positions = text.seqLengths.flatMap((length) => Array.from({ length }, (_, t) => t));
  return { ids: text.inputIds, from, targets, documents, positions };
}

/** The step graph: Σ weight · −log π over the scored tokens, and sums of entropy and hits for the log. */
function buildStep(model: LanguageModel, batch: ScoredBatch, checkpointing: boolean): StepGraph {
  const { logits, labels, real } = scoreTokens(model, createParameters(), batch, { checkpointing });
  const scored = crossEntropy(logits, labels, input("weights", "float32", [batch.scored]));
  return { loss: scored.loss, metrics: { loss: scored.loss, ...crossEntropyMetrics(scored, labels, real) } };
}

async function runBatch(
  program: StepProgram,
  model: LanguageModel,
  batch: ScoredBatch,
  weight: number,
  options: { add: boolean; checkpointing: boolean },
): Promise<{ loss: number; entropy: number; accuracy: number }> {
  const weights = new Float32Array(batch.scored).fill(weight, 0, batch.count);
  const results = await program.run(batch.shape, () => buildStep(model, batch, options.checkpointing), { ...batch.inputs, weights }, { add: options.add });
  return { loss: results["loss"][0], entropy: results["entropy"][0], accuracy: results["accuracy"][0] };
}

/** Token-weighted loss and perplexity over all evaluation rows, and per task where there are several. */
async function evaluate(config: SFTConfig, program: StepProgram, model: LanguageModel, rows: PreparedRows<PackedText>): Promise<{ [name: string]: number }> {
  const size = config.per_device_eval_batch_size;
  const totals = new Map<string, { loss: number; correct: number; count: number }>();
  for (const task of rows.tasks) {
    const total = { loss: 0, correct: 0, count: 0 };
    const indices = Array.from({ length: rows.count }, (_, i) => i).filter((i) => rows.task(i) === task);
    for (let from = 0; from < indices.length; from += size) {
      const texts = await Promise.all(indices.slice(from, from + size).map((index) => rows.read(index)));
      const batch = batchScoredRows(texts.map(scoredRow), model.config.maxPositions);
      const weights = new Float32Array(batch.scored).fill(1, 0, batch.count);
      // Without a loss the program builds the forward graph only.
      const forward = (): StepGraph => ({ metrics: buildStep(model, batch, false).metrics });
      const results = await program.run(`eval ${batch.shape}`, forward, { ...batch.inputs, weights });
      total.loss += results["loss"][0];
      total.correct += results["accuracy"][0];
      total.count += batch.count;
    }
    totals.set(task, total);
  }
  const sum = (key: "loss" | "correct" | "count"): number => [...totals.values()].reduce((s, total) => s + total[key], 0);
  const loss = sum("loss") / sum("count");
  const metrics: { [name: string]: number } = { eval_loss: loss, eval_perplexity: Math.exp(loss), eval_mean_token_accuracy: sum("correct") / sum("count") };
  if (totals.size > 1) for (const [task, total] of totals) if (total.count > 0) metrics[`eval_${task}_loss`] = total.loss / total.count;
  return metrics;
}
