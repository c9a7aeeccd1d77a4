/**
 * Next-token training on rows of text: the core of `sft` and `pretrain`.
 *
 *   L = − Σ log π(yₜ | y₍<t₎) ÷ (number of such tokens in the whole accumulated batch)
 */
import type { PackedText, PreparedRows, TokenizedText } from "../data/index.ts";
import { crossEntropy, crossEntropyMetrics } from "../losses/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { createParameters } from "../nn/index.ts";
import type { Backend } from "../runtime/index.ts";
import { input } from "../tensor/index.ts";
import { describeRows, nonFiniteLoss } from "./non-finite.ts";
import { createOptimizer, optimizerConfig } from "./optimizer.ts";
import { createRowStream } from "./row-stream.ts";
import { createStepProgram, type StepGraph, type StepProgram } from "./step-program.ts";
import { batchScoredRows, scoreTokens, splitByLogits, type ScoredBatch, type ScoredRow } from "./token-losses.ts";
import { freeGradients, selectTrainables } from "./trainables.ts";
import type { TrainingArguments } from "./training-arguments.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { planSteps, runTrainingLoop } from "./training-loop.ts";

export interface LanguageModelling {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly rows: PreparedRows<PackedText>;
  readonly evaluation: PreparedRows<PackedText> | undefined;
  readonly resumePoint: { path: string; step: number } | undefined;
  save(folder: string): Promise<void>;
  /** More evaluation metrics, from the sum of −log π over the `count` scored ones of all evaluation `tokens`: a row's first is not scored. */
  describe?: (total: { loss: number; count: number; tokens: number }) => { [name: string]: number };
}

export async function trainLanguageModel(
  config: TrainingArguments,
  context: TrainingContext,
  options: LanguageModelling,
): Promise<TrainingOutcome> {
  const { backend, model, rows, evaluation, resumePoint } = options;
  const trainables = selectTrainables(model, backend, config.num_layers_unfrozen);
  const program = createStepProgram(backend, model.parameters, trainables);
  const optimizer = await createOptimizer(backend, trainables, optimizerConfig(config));
  const stream = createRowStream(rows, config);
  let seenTokens = 0;

  return runTrainingLoop(
    config,
    context,
    {
      ...planSteps(config, stream.batchesPerEpoch),
      async step(_step, learningRate) {
        const batches = (await stream.next()).map(({ rows: texts, indices }) => {
          const scored = texts.map(scoredRow);
          return {
            parts: splitByLogits(scored, ({ targets }) => targets.length, model.config.vocabSize),
            count: scored.reduce((sum, { targets }) => sum + targets.length, 0),
            tokens: texts.reduce((sum, text) => sum + text.inputIds.length, 0),
            indices,
          };
        });
        // Token-sum over token-count of all micro-batches: 1×8 and 8×1 are the same step.
        const total = batches.reduce((sum, { count }) => sum + count, 0);
        let loss = 0;
        let runs = 0;
        const metrics = { entropy: 0, mean_token_accuracy: 0 };
        // The last row of packed text may be a single token, with nothing to learn.
        const learnt = batches.filter(({ count }) => count > 0).length;
        for (const { parts, count, indices } of batches) {
          if (count === 0 && learnt > 0) continue;
          for (const part of parts) {
            const scored = batchScoredRows(part, model.config.maxPositions);
            const result = await runBatch(program, model, scored, 1 / total, {
              add: runs++ > 0,
              checkpointing: config.gradient_checkpointing,
            });
            if (!Number.isFinite(result.loss)) throw nonFiniteLoss(result.loss, indices, rows, trainables);
            loss += result.loss;
            metrics.entropy += result.entropy / count / learnt;
            metrics.mean_token_accuracy += result.accuracy / count / learnt;
          }
        }
        const gradNorm = await optimizer.update(learningRate, () =>
          describeRows(
            batches.flatMap(({ indices }) => indices),
            rows,
          ),
        );
        const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
        seenTokens += tokens;
        return { loss, gradNorm, metrics, latest: { num_tokens: seenTokens }, tokens };
      },
      ...(evaluation === undefined ? {} : { evaluate: () => evaluate(config, program, model, evaluation, options.describe) }),
      save: options.save,
      buffers: () => optimizer.moments(),
      getState: () => ({ steps: optimizer.steps, cursor: stream.cursor, seenTokens }),
      async restore(state, read) {
        await optimizer.restore(state["steps"] as number, read);
        stream.cursor = state["cursor"] as typeof stream.cursor;
        seenTokens = state["seenTokens"] as number;
      },
    },
    resumePoint,
  ).finally(() => {
    program.release();
    optimizer.release();
    freeGradients(trainables);
  });
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
  const results = await program.run(
    batch.shape,
    () => buildStep(model, batch, options.checkpointing),
    { ...batch.inputs, weights },
    { add: options.add },
  );
  return { loss: results["loss"][0], entropy: results["entropy"][0], accuracy: results["accuracy"][0] };
}

/** Token-weighted loss and perplexity over all evaluation rows, and per task where there are several. */
async function evaluate(
  config: TrainingArguments,
  program: StepProgram,
  model: LanguageModel,
  rows: PreparedRows<PackedText>,
  describe: LanguageModelling["describe"],
): Promise<{ [name: string]: number }> {
  const size = config.per_device_eval_batch_size;
  const totals = new Map<string, { loss: number; correct: number; count: number; tokens: number }>();
  for (const task of rows.tasks) {
    const total = { loss: 0, correct: 0, count: 0, tokens: 0 };
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
      total.tokens += texts.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    }
    if (total.count > 0) totals.set(task, total);
  }
  const sum = (key: "loss" | "correct" | "count" | "tokens"): number => [...totals.values()].reduce((s, total) => s + total[key], 0);
  const whole = { loss: sum("loss"), count: sum("count"), tokens: sum("tokens") };
  const loss = whole.loss / whole.count;
  const metrics: { [name: string]: number } = {
    eval_loss: loss,
    eval_perplexity: Math.exp(loss),
    eval_mean_token_accuracy: sum("correct") / whole.count,
    ...describe?.(whole),
  };
  if (totals.size > 1) for (const [task, total] of totals) metrics[`eval_${task}_loss`] = total.loss / total.count;
  return metrics;
}
