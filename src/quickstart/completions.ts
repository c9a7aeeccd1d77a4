/** Completions of the held-out openings, and what can be measured on them. */
import { computePerplexity, measureSentiment, measureTexts } from "../evaluation/index.ts";
import { createGenerator, createScorer, endTokens } from "../generation/index.ts";
import { freeModel, loadModel, readModelConfig, type LanguageModel } from "../models/index.ts";
import { createModelJudge, loadModelReward, loadRubric } from "../rewards/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import type { SideReport } from "./report.ts";

export interface Sampled {
  readonly prompt: string;
  readonly promptIds: readonly number[];
  /** What the model wrote after the prompt. */
  readonly text: string;
  /** The end token included. */
  readonly ids: readonly number[];
  /** log p of the whole completion under the model that wrote it, in nats. */
  readonly logprob: number;
}

export interface SampleOptions {
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

/** One completion an opening at temperature 1; the same random numbers for the same seed, whatever the model. */
export async function sampleCompletions(
  folder: string,
  openings: readonly string[],
  { maxNewTokens, seed, signal, onProgress }: SampleOptions,
): Promise<Sampled[]> {
  return withModel(folder, async (model, backend) => {
    const tokenizer = await loadTokenizer(folder);
    const stopIds = [
      ...new Set([...endTokens(await readModelConfig(folder)), ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId])]),
    ];
    const generator = createGenerator(model, backend, { maxBatch: 64, tokenizer });
    try {
      const promptIds = openings.map((opening) => tokenizer.encode(opening));
      let done = 0;
      const completions = await generator.generate(
        promptIds.map((ids) => ({ promptIds: ids })),
        { maxNewTokens, temperature: 1, topK: 0, topP: 1, stopIds, seed },
        { signal, onCompletion: () => onProgress(++done) },
      );
      return completions.map(({ ids, logprobs, text }, i) => ({
        prompt: openings[i],
        promptIds: promptIds[i],
        text: text ?? "",
        ids,
        logprob: sumOf(logprobs),
      }));
    } finally {
      generator.release();
    }
  });
}

export interface MeasuredSide {
  readonly summary: SideReport;
  /** Mean over completions of log p(writer) − log p(base), summed over the tokens: an unbiased estimate of KL. */
  readonly kl: number;
  /** By what the tuning maximised, a completion each. */
  readonly scores: readonly number[];
  /** By the outside scorer, a completion each. */
  readonly outside: readonly number[];
}

export type ScoreCompletions = (sampled: readonly Sampled[]) => Promise<number[]>;

/** `base` is the untuned model's folder; `score` is what the tuning maximised. */
export async function measureCompletions(
  sampled: readonly Sampled[],
  { base, score }: { base: string; score: ScoreCompletions },
): Promise<MeasuredSide> {
  const baseLogprobs = await withModel(base, async (model, backend) => {
    const scorer = createScorer(model, backend, { maxRows: 64 });
    try {
      const rows = await scorer.logprobs(sampled.map(({ promptIds, ids }) => ({ ids: [...promptIds, ...ids], from: promptIds.length })));
      return rows.map(({ logprobs }) => sumOf(logprobs));
    } finally {
      scorer.release();
    }
  });
  const scores = await score(sampled);
  const texts = sampled.map(({ text }) => text);
  const sentiment = await measureSentiment(texts);
  const statistics = measureTexts(texts);
  return {
    summary: {
      mean_score: meanOf(scores),
      outside_positive_share: sentiment.positiveShare,
      outside_interval: [sentiment.interval[0], sentiment.interval[1]],
      perplexity: computePerplexity(sampled.map(({ ids }, i) => ({ logprobSum: baseLogprobs[i], tokens: ids.length }))),
      mean_length: meanOf(sampled.map(({ ids }) => ids.length)),
      distinct_2: statistics.distinct2,
    },
    kl: meanOf(sampled.map(({ logprob }, i) => logprob - baseLogprobs[i])),
    scores,
    outside: sentiment.scores,
  };
}

/** By the reward model in a folder. */
export function createRewardScore(rewardModel: string, base: string): ScoreCompletions {
  return async (sampled) => {
    const backend = createCpuBackend();
    try {
      const reward = await loadModelReward(rewardModel, backend, { tokenizer: await loadTokenizer(base) });
      try {
        const scores = await reward.score(
          sampled.map(({ prompt, promptIds, text, ids }) => ({ prompt, completion: text, prompt_ids: promptIds, completion_ids: ids })),
        );
        return scores.map((score) => score ?? 0);
      } finally {
        reward.release?.();
      }
    } finally {
      backend.close();
    }
  };
}

/** Grades of texts by a language model's own logits, after the rubric's question. */
export async function gradeTexts(
  folder: string,
  rubricFile: string,
  texts: readonly { readonly prompt: string; readonly text: string }[],
): Promise<number[]> {
  const rubric = await loadRubric(rubricFile);
  return withModel(folder, async (model, backend) => {
    const judge = createModelJudge({ model, tokenizer: await loadTokenizer(folder), backend, rubric, mode: "expected", batchSize: 64 });
    try {
      const grades = await judge.grade(texts.map(({ prompt, text }) => ({ prompt, answer: text })));
      return grades.map(({ score }) => score ?? 0);
    } finally {
      judge.release?.();
    }
  });
}

async function withModel<T>(folder: string, body: (model: LanguageModel, backend: Backend) => Promise<T>): Promise<T> {
  const backend = createCpuBackend();
  try {
    const model = await loadModel(folder, backend, { head: "lm" });
    try {
      return await body(model, backend);
    } finally {
      freeModel(model);
    }
  } finally {
    backend.close();
  }
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

function meanOf(values: readonly number[]): number {
  return sumOf(values) / values.length;
}
