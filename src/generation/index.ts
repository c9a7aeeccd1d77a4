export type { Completion, FinishReason } from "./completion.ts";
export { createGenerator, type GenerateOptions, type GenerationRequest, type Generator, type GeneratorOptions } from "./generator.ts";
export { createLiveGenerator, type LiveGenerator, type LiveGeneratorOptions, type LiveRequest, type LiveToken } from "./live-generator.ts";
export { createScorer, type ScoredRow, type Scorer, type ScorerRow } from "./logprobs.ts";
export { endTokens, loadGenerationConfig, loadSettings, resolveSettings, type GenerationSettings } from "./settings.ts";
