/**
 * Reward model from comparisons, as TRL's RewardTrainer: Bradley–Terry on the scores at each answer's last token.
 *
 *   L = mean over pairs of −log σ(r_chosen − r_rejected − margin) + c·(r_chosen + r_rejected)²
 *
 * A pair is one row [prompt | chosen | rejected] (pair-batch.ts), and the scores are those of two rows.
 */
import { preparePairs, type PreparedRows, type TokenizedPair } from "../data/index.ts";
import { measureRewardAccuracy } from "../evaluation/index.ts";
import { bradleyTerry } from "../losses/index.ts";
import { batchRows, scoreHead, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import { bucketLength, bucketRows } from "../runtime/index.ts";
import { gather, input, slice, type TensorData } from "../tensor/index.ts";
import { describeRows, nonFiniteLoss } from "./non-finite.ts";
import { createOptimizer, optimizerConfig } from "./optimizer.ts";
import { countPairTokens, pairRow } from "./pair-batch.ts";
import type { RewardConfig } from "./reward-config.ts";
import { createRowStream } from "./row-stream.ts";
import { createStepProgram, type StepGraph } from "./step-program.ts";
import { blockRunner } from "./token-losses.ts";
import { freeGradients, selectTrainables } from "./trainables.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { planSteps, runTrainingLoop } from "./training-loop.ts";
import { checkPositions, openTraining, prepareOptions, type Training } from "./training-setup.ts";

export async function trainReward(config: RewardConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const training = await openTraining(config, context, { head: "score" });
  try {
    return await train(config, context, training);
  } finally {
    await training.close();
  }
}

async function train(config: RewardConfig, context: TrainingContext, training: Training): Promise<TrainingOutcome> {
  const { backend, model, datasets, resumePoint } = training;
  const prepare = async (dataset: typeof datasets.train, role?: "evaluation"): Promise<PreparedRows<TokenizedPair>> => {
    const pairs = await preparePairs(dataset, { ...prepareOptions(context, training, role), maxLength: config.max_length });
    checkPositions(model, pairs.lengths);
    return pairs;
  };
  const rows = await prepare(datasets.train);
  const evaluation = datasets.evaluation === undefined ? undefined : await prepare(datasets.evaluation, "evaluation");
  const trainables = selectTrainables(model, backend, config.num_layers_unfrozen);
  const program = createStepProgram(backend, model.parameters, trainables);
  const optimizer = await createOptimizer(backend, trainables, optimizerConfig(config));
  const stream = createRowStream(rows, config);
  let seenTokens = 0;

  const runBatch = async (pairs: readonly TokenizedPair[], weight: number, mode: "train" | "add" | "evaluate"): Promise<BatchResult> => {
    const batch = batchPairs(pairs, model.config.maxPositions, weight);
    const build = (): StepGraph =>
      buildStep(model, batch, { centering: config.center_rewards_coefficient ?? undefined, checkpointing: config.gradient_checkpointing });
    const key = `${mode === "evaluate" ? "eval " : ""}${batch.shape}`;
    const results = await program.run(key, mode === "evaluate" ? () => ({ metrics: build().metrics }) : build, batch.inputs, {
      add: mode === "add",
    });
    const scores = results["scores"];
    return {
      loss: results["loss"][0],
      chosen: scores.slice(0, pairs.length),
      rejected: scores.slice(batch.pairs, batch.pairs + pairs.length),
    };
  };

  return runTrainingLoop(
    config,
    context,
    {
      ...planSteps(config, stream.batchesPerEpoch),
      async step(_step, learningRate) {
        const batches = await stream.next();
        const total = batches.reduce((sum, batch) => sum + batch.rows.length, 0);
        let loss = 0;
        let tokens = 0;
        const metrics: { [name: string]: number } = {};
        for (const [i, { rows: pairs, indices }] of batches.entries()) {
          const result = await runBatch(pairs, 1 / total, i > 0 ? "add" : "train");
          if (!Number.isFinite(result.loss)) throw nonFiniteLoss(result.loss, indices, rows, trainables);
          loss += result.loss;
          for (const [name, value] of Object.entries(describeScores(result))) metrics[name] = (metrics[name] ?? 0) + value / batches.length;
          for (const pair of pairs) tokens += countPairTokens(pair);
        }
        const gradNorm = await optimizer.update(learningRate, () =>
          describeRows(
            batches.flatMap(({ indices }) => indices),
            rows,
          ),
        );
        seenTokens += tokens;
        return { loss, gradNorm, metrics, latest: { num_tokens: seenTokens }, tokens };
      },
      ...(evaluation === undefined
        ? {}
        : {
            async evaluate() {
              const all: BatchResult = {
                loss: 0,
                chosen: new Float32Array(evaluation.count),
                rejected: new Float32Array(evaluation.count),
              };
              const lengths = { chosen: new Float32Array(evaluation.count), rejected: new Float32Array(evaluation.count) };
              const size = config.per_device_eval_batch_size;
              for (let from = 0; from < evaluation.count; from += size) {
                const indices = Array.from({ length: Math.min(size, evaluation.count - from) }, (_, i) => from + i);
                const pairs = await Promise.all(indices.map((index) => evaluation.read(index)));
                const result = await runBatch(pairs, 1 / evaluation.count, "evaluate");
                all.loss += result.loss;
                all.chosen.set(result.chosen, from);
                all.rejected.set(result.rejected, from);
                lengths.chosen.set(
                  pairs.map((pair) => pair.chosenIds.length),
                  from,
                );
                lengths.rejected.set(
                  pairs.map((pair) => pair.rejectedIds.length),
                  from,
                );
              }
              const described = Object.fromEntries(Object.entries(describeScores(all)).map(([name, value]) => [`eval_${name}`, value]));
              const { lengthCorrelation } = measureRewardAccuracy({
                chosen: all.chosen,
                rejected: all.rejected,
                chosenLengths: lengths.chosen,
                rejectedLengths: lengths.rejected,
              });
              return {
                eval_loss: all.loss,
                ...described,
                ...(lengthCorrelation === null ? {} : { eval_length_correlation: lengthCorrelation }),
              };
            },
          }),
      save: training.save,
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

interface BatchResult {
  loss: number;
  readonly chosen: Float32Array;
  readonly rejected: Float32Array;
}

interface PairBatch {
  readonly shape: string;
  readonly batch: number;
  readonly time: number;
  /** Rows of scores a side, padding included. */
  readonly pairs: number;
  readonly inputs: { readonly [name: string]: TensorData };
}

/** One row a pair; both answers continue the prompt's positions. Margins are 0 where the data has none. */
export function batchPairs(pairs: readonly TokenizedPair[], maxPositions: number, weight: number): PairBatch {
  const rows = pairs.map(pairRow);
  const batch = bucketRows(rows.length);
  const longest = Math.max(...rows.map((row) => row.ids.length));
  // A row holds two answers, so it may be longer than the model's positions, which restart for the second.
  const time = bucketLength(longest, Math.max(2 * maxPositions, longest));
  const ends = new Int32Array(2 * batch);
  const weights = new Float32Array(batch).fill(weight, 0, pairs.length);
  const margins = new Float32Array(batch);
  for (const [b, pair] of pairs.entries()) {
    const chosenEnd = pair.promptIds.length + pair.chosenIds.length;
    ends[b] = b * time + chosenEnd - 1;
    ends[batch + b] = b * time + chosenEnd + pair.rejectedIds.length - 1;
    margins[b] = pair.margin ?? 0;
  }
  const { ids, positions, bias } = batchRows(rows, batch, time);
  return { shape: `${batch}x${time}`, batch, time, pairs: batch, inputs: { ids, positions, bias, ends, weights, margins } };
}

function buildStep(
  model: LanguageModel,
  { batch, time, pairs }: PairBatch,
  options: { centering: number | undefined; checkpointing: boolean },
): StepGraph {
  const { architecture, config } = model;
  const p = createParameters();
  const trunk = architecture.trunk(config, p, createFullSequence(batch, time), blockRunner(options.checkpointing));
  const scores = scoreHead(p, gather(trunk, input("ends", "int32", [2 * pairs])));
  const [chosen, rejected] = [slice(scores, 0, 0, pairs), slice(scores, 0, pairs, 2 * pairs)];
  const { loss } = bradleyTerry(chosen, rejected, input("weights", "float32", [pairs]), {
    margins: input("margins", "float32", [pairs]),
    centering: options.centering,
  });
  return { loss, metrics: { loss, scores: scores } };
}

/** TRL's metrics of a batch. */
function describeScores({ chosen, rejected }: BatchResult): { [name: string]: number } {
  const all = [...chosen, ...rejected];
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const margins = [...chosen].map((score, i) => score - rejected[i]);
  return {
    min_reward: Math.min(...all),
    mean_reward: mean(all),
    max_reward: Math.max(...all),
    accuracy: mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
    margin: mean(margins),
  };
}
