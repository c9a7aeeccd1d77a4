/** Special tokens and chat template against what the training needs of them. */
import type { Method } from "../recipes/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { SparError } from "../internal/errors.ts";
import { findingOfError, type Finding } from "./finding.ts";

export interface TokenizerCheck {
  readonly method: Method;
  readonly tokenizer: Tokenizer;
  /** Rows of the model's embedding. */
  readonly vocabSize: number;
  /** Whether the data are conversations. */
  readonly isChat: boolean;
}

export function checkTokenizer({ method, tokenizer, vocabSize, isChat }: TokenizerCheck): Finding[] {
  const findings: Finding[] = [];
  const { pad_token: pad, eos_token: eos } = tokenizer.specialTokens;
  if (tokenizer.eosId === undefined) {
    findings.push({
      code: "doctor/no-eos-token",
      level: "warning",
      found: "the tokenizer has no end token",
      why: "completions are learnt without an end, and generation does not stop by itself",
      action: "name an eos_token in tokenizer_config.json",
    });
  }
  if (pad !== undefined && pad === eos) {
    const why =
      method === "reward"
        ? "Transformers finds a row's last token by the padding token, so other programs score the saved reward model at the wrong place"
        : "spar masks padding by length and learns the end token all the same, but programs that mask by token id never learn to stop";
    findings.push({
      code: "doctor/pad-is-eos",
      level: "warning",
      found: `padding and end token are the same (${JSON.stringify(pad)})`,
      why,
      action: "give the tokenizer a padding token of its own, if other programs will train on or score with this model",
    });
  }
  if (tokenizer.vocabSize > vocabSize) {
    findings.push({
      code: "doctor/vocabulary",
      level: "error",
      found: `the tokenizer has ${tokenizer.vocabSize} tokens, the model's embedding ${vocabSize} rows`,
      why: "a text with one of the tokens beyond has no embedding",
      action: "use the tokenizer that belongs to the model",
    });
  }
  if (isChat && tokenizer.hasChatTemplate) findings.push(...checkChatTemplate(tokenizer));
  if (!isChat && tokenizer.hasChatTemplate && method !== "pretrain") {
    findings.push({
      code: "doctor/chat-template-unused",
      level: "note",
      found: "the model has a chat template, the data are plain text",
      why: "the model is trained on text that is not rendered as its conversations are",
      action: "give the data as messages, if the model is to chat",
    });
  }
  return findings;
}

/** Whether an answer ends as the model should end it, and starts where generation starts. */
function checkChatTemplate(tokenizer: Tokenizer): Finding[] {
  const question = [{ role: "user", content: "What is two and two?" }];
  const whole = [...question, { role: "assistant", content: "Four." }];
  const findings: Finding[] = [];
  let rendered: string;
  let opened: string;
  try {
    rendered = tokenizer.applyChatTemplate(whole);
    opened = tokenizer.applyChatTemplate(question, { addGenerationPrompt: true });
  } catch (error) {
    if (error instanceof SparError) return [findingOfError(error)];
    throw error;
  }
  const eos = tokenizer.specialTokens["eos_token"];
  if (eos !== undefined && !rendered.trimEnd().endsWith(eos)) {
    findings.push({
      code: "doctor/chat-template-no-eos",
      level: "warning",
      found: `the chat template ends an answer with ${JSON.stringify(rendered.slice(-20))}, not with the end token ${JSON.stringify(eos)}`,
      why: "the model does not learn to stop after an answer",
      action: "set eos_token to what ends a turn in the template, or change the template",
    });
  }
  if (!rendered.startsWith(opened)) {
    findings.push({
      code: "doctor/chat-template-mismatch",
      level: "warning",
      found: "a conversation with its answer does not begin as the same conversation opened for an answer",
      why: "training sees another text before the answer than generation does",
      action: "use a template whose generation prompt is what stands before an answer",
    });
  }
  return findings;
}
