import type { PreferenceExample, UnpairedExample } from "./formats/example.ts";
import { RowProblem } from "./formats/read-values.ts";
import {
  appendEos,
  countCommonPrefix,
  encodeContent,
  joinContent,
  type TokeniseContext,
  warnOfPromptBoundary,
} from "./tokenise-content.ts";

/** A prompt with two completions: the sequences are promptIds + chosenIds and promptIds + rejectedIds. */
export type TokenizedPair = { promptIds: number[]; chosenIds: number[]; rejectedIds: number[]; margin?: number };

/** A prompt with one completion rated good (true) or bad. */
export type TokenizedCompletion = { promptIds: number[]; completionIds: number[]; label: boolean };

/** Tokenises a preference pair by the rules of TRL's RewardTrainer and DPOTrainer (which agree on the whole sequences). */
export function tokenisePair(example: PreferenceExample, context: TokeniseContext): TokenizedPair {
  const margin = example.margin === undefined ? {} : { margin: example.margin };
  if (example.kind === "pair-ids") return { ...splitIds(example.chosenIds, example.rejectedIds), ...margin };
  const { prompt, chosen, rejected, chat } = example;
  const end = (completion: typeof chosen) =>
    joinContent(prompt, typeof completion === "string" ? appendEos(context, completion) : completion);
  const promptIds = encodeContent(context, prompt, { addGenerationPrompt: true, chat });
  const chosenWhole = encodeContent(context, end(chosen), { chat });
  const rejectedWhole = encodeContent(context, end(rejected), { chat });
  const prefix = Math.min(countCommonPrefix(promptIds, chosenWhole), countCommonPrefix(promptIds, rejectedWhole));
  warnOfPromptBoundary(context, promptIds, prefix);
  return {
    promptIds: promptIds.slice(0, prefix),
    chosenIds: chosenWhole.slice(prefix),
    rejectedIds: rejectedWhole.slice(prefix),
    ...margin,
  };
}

export function tokeniseUnpaired(example: UnpairedExample, context: TokeniseContext): TokenizedCompletion {
  const { prompt, completion, label, chat } = example;
  const promptIds = encodeContent(context, prompt, { addGenerationPrompt: true, chat });
  const whole = encodeContent(context, joinContent(prompt, typeof completion === "string" ? appendEos(context, completion) : completion), {
    chat,
  });
  const prefix = countCommonPrefix(promptIds, whole);
  warnOfPromptBoundary(context, promptIds, prefix);
  return { promptIds: whole.slice(0, prefix), completionIds: whole.slice(prefix), label };
}

/** Whole sequences made elsewhere: what they begin with alike is the prompt, each side keeping at least its last token. */
function splitIds(chosen: number[], rejected: number[]): TokenizedPair {
  if (chosen.length === 0 || rejected.length === 0) throw new RowProblem("found a sequence of no ids");
  const prefix = Math.min(countCommonPrefix(chosen, rejected), chosen.length - 1, rejected.length - 1);
  return { promptIds: chosen.slice(0, prefix), chosenIds: chosen.slice(prefix), rejectedIds: rejected.slice(prefix) };
}
