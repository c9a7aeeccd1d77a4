export { trainBPE, type BPETrainingOptions } from "./bpe-trainer.ts";
export type { ChatMessage, ChatTemplateOptions } from "./chat-template.ts";
export { fitConversation, joinTexts, type FittedConversation } from "./fit-conversation.ts";
export { createTokenizer, loadTokenizer, saveTokenizer, type Tokenizer, type TokenizerFiles } from "./hugging-face.ts";
export type { IncrementalDecoder } from "./incremental-decoder.ts";
export type { TokenizerJson } from "./tokenizer-json.ts";
