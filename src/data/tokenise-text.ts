import type { Content, Message, TextExample } from "./formats/example.ts";
import { RowProblem } from "./formats/read-values.ts";
import {
  appendEos,
  countCommonPrefix,
  encodeContent,
  encodeText,
  joinContent,
  renderMessages,
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
    case "text": {
      const inputIds = encodeText(context, appendEos(context, example.text));
      return { inputIds, completionMask: new Uint8Array(inputIds.length).fill(1) };
    }
    case "messages": {
      const inputIds = encodeContent(context, example.messages);
      const mask = options.assistantOnlyLoss ? maskAssistantTurns(example.messages, inputIds, context) : new Uint8Array(inputIds.length).fill(1);
      return { inputIds, completionMask: mask };
    }
    case "prompt-completion":
      return tokenisePromptCompletion(example.prompt, example.completion, context, options);
  }
}

function tokenisePromptCompletion(prompt: Content, completion: Content, context: TokeniseContext, options: TokeniseTextOptions): TokenizedText {
  const promptIds = encodeContent(context, prompt, { addGenerationPrompt: true });
  const whole = joinContent(prompt, typeof completion === "string" ? appendEos(context, completion) : completion);
  const inputIds = encodeContent(context, whole);
  const prefix = countCommonPrefix(promptIds, inputIds);
  warnOfPromptBoundary(context, promptIds, prefix);
  const completionMask = new Uint8Array(inputIds.length).fill(1);
  if (options.completionOnlyLoss ?? true) completionMask.fill(0, 0, prefix);
  if (options.assistantOnlyLoss && typeof whole !== "string") {
    const assistant = maskAssistantTurns(whole, inputIds, context);
    for (let t = 0; t < assistant.length; t++) completionMask[t]! &= assistant[t]!;
  }
  return { inputIds, completionMask };
}

/**
 * 1 on the tokens of the assistant's turns, found by rendering the conversation up to each turn: a turn runs
 * from behind the generation prompt to its end token (or, where the template writes none, to its last text).
 * @throws {RowProblem} no assistant turn, or a template that renders a beginning otherwise than the whole
 */
export function maskAssistantTurns(messages: Message[], inputIds: readonly number[], context: TokeniseContext): Uint8Array {
  const mask = new Uint8Array(inputIds.length);
  const whole = renderMessages(context, messages);
  let found = false;
  messages.forEach((message, i) => {
    if (message.role !== "assistant") return;
    const opening = i === 0 ? "" : renderMessages(context, messages.slice(0, i), { addGenerationPrompt: true });
    const closing = i === messages.length - 1 ? whole : renderMessages(context, messages.slice(0, i + 1));
    const closed = closing.trimEnd();
    if (!whole.startsWith(closed) || !closing.startsWith(opening.trimEnd())) {
      throw new RowProblem(
        `the chat template renders turn ${i + 1} otherwise at its end than inside the conversation, so its tokens cannot be told (assistant_only_loss)`,
      );
    }
    const start = countCommonPrefix(encodeRendered(context, opening), inputIds);
    const end = i === messages.length - 1 && closed === closing ? inputIds.length : countCommonPrefix(encodeRendered(context, closed), inputIds);
    const { eosId } = context.tokenizer;
    const eos = eosId === undefined ? -1 : inputIds.indexOf(eosId, start);
    mask.fill(1, start, eos >= 0 && eos < end ? eos + 1 : end);
    found ||= end > start;
  });
  if (!found) throw new RowProblem("found no assistant turn to learn (assistant_only_loss)");
  return mask;
}

function encodeRendered({ tokenizer }: TokeniseContext, rendered: string): number[] {
  return rendered === "" ? [] : tokenizer.encode(rendered, { addSpecialTokens: false });
}
