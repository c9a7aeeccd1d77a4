import type { ChatExtras, Message, TextExample } from "./formats/example.ts";
import { RowProblem } from "./formats/read-values.ts";
import {
  appendEos,
  countCommonPrefix,
  encodeContent,
  encodeWithAssistantMask,
  joinContent,
  type TokeniseContext,
  warnOfPromptBoundary,
} from "./tokenise-content.ts";

/** One sequence; `completionMask[t]` is 1 where token t is learnt. Both have the same length. */
export type TokenizedText = { inputIds: number[]; completionMask: Uint8Array };

export type TokeniseTextOptions = {
  /** Learn the completion only, where there is a prompt (TRL's default for prompt-completion data: true). */
  completionOnlyLoss?: boolean;
  /** Learn the assistant's turns of conversations only. */
  assistantOnlyLoss?: boolean;
};

/** Tokenises an example for language modelling or SFT, by the rules of TRL's SFTTrainer. */
export function tokeniseText(example: TextExample, context: TokeniseContext, options: TokeniseTextOptions = {}): TokenizedText {
  switch (example.kind) {
    case "ids":
      return { inputIds: example.inputIds, completionMask: example.mask };
    case "text":
      return tokeniseString(appendEos(context, example.text), context);
    case "messages":
      return tokeniseMessages(example.messages, context, options, example.chat);
    case "prompt-completion":
      return tokenisePromptCompletion(example, context, options);
  }
}

function tokenisePromptCompletion(
  { prompt, completion, chat }: Extract<TextExample, { kind: "prompt-completion" }>,
  context: TokeniseContext,
  options: TokeniseTextOptions,
): TokenizedText {
  const promptIds = encodeContent(context, prompt, { addGenerationPrompt: true, chat });
  const whole = joinContent(prompt, typeof completion === "string" ? appendEos(context, completion) : completion);
  const { inputIds, completionMask } =
    typeof whole === "string" ? tokeniseString(whole, context) : tokeniseMessages(whole, context, options, chat);
  const prefix = countCommonPrefix(promptIds, inputIds);
  warnOfPromptBoundary(context, promptIds, prefix);
  if (options.completionOnlyLoss ?? true) completionMask.fill(0, 0, prefix);
  return { inputIds, completionMask };
}

function tokeniseMessages(messages: Message[], context: TokeniseContext, options: TokeniseTextOptions, chat?: ChatExtras): TokenizedText {
  if (!options.assistantOnlyLoss) {
    const inputIds = encodeContent(context, messages, { chat });
    return { inputIds, completionMask: new Uint8Array(inputIds.length).fill(1) };
  }
  const { ids, assistantMask } = encodeWithAssistantMask(context, messages, chat);
  if (!assistantMask.includes(1)) throw new RowProblem("found no assistant turn to learn (assistant_only_loss)");
  return { inputIds: ids, completionMask: assistantMask };
}

function tokeniseString(text: string, context: TokeniseContext): TokenizedText {
  const inputIds = encodeContent(context, text);
  return { inputIds, completionMask: new Uint8Array(inputIds.length).fill(1) };
}
