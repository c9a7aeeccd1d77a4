export type { Architecture, ModelConfig, RawConfig } from "./architecture.ts";
export { findArchitecture, supportedModelTypes } from "./registry.ts";
export { copyModel, countParameters, freeModel, initializeModel, parameterShapes, type HeadKind, type LanguageModel } from "./model.ts";
export { hasScoreHead, loadModel, readGgufGenerationConfig, readModelConfig } from "./load.ts";
export { formatConfig, saveModel } from "./save.ts";
export { scoreHead, valueHead, valueHeadNames } from "./scalar-head.ts";
export { batchRows, type SequenceBatch, type SequenceRow } from "./sequence-batch.ts";
