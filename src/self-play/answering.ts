/** How a self-rewarding run asks: sampling settings, a seed for every use, and what a prompt comes down to. */
import type { Content, Message } from "../data/index.ts";
import { Random } from "../internal/rng.ts";
import type { SelfRewardingConfig } from "../trainers/configs.ts";
import type { AnswerSettings } from "./policy.ts";

export function answerSettings(config: SelfRewardingConfig, seed: number, count: number): AnswerSettings {
  const { temperature, top_p: topP, top_k: topK, max_new_tokens: maxNewTokens, generation_batch_size: batchSize } = config;
  return { temperature, topP, topK, maxNewTokens, seed, batchSize, count };
}

/** Random numbers of their own for every use in every iteration. */
export function drawSeed({ seed }: SelfRewardingConfig, iteration: number, use: "prompts" | "candidates" | "judgements" | "watch"): number {
  return new Random(seed + 1000 * iteration + ["prompts", "candidates", "judgements", "watch"].indexOf(use)).integer(2 ** 31);
}

/** The last thing that was asked. */
export function readQuestion(prompt: Content): string {
  return typeof prompt === "string" ? prompt : ((prompt as Message[]).findLast(({ role }) => role === "user")?.content ?? "");
}
