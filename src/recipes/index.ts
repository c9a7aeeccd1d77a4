export { describeKeys, renderKeysDocument, type KeyDescription } from "./describe-keys.ts";
export { loadRecipe, parseRecipe, readRecipeFile, type LoadRecipeOptions, type ParseRecipeOptions, type ResolvedRecipe } from "./load.ts";
export { findNearest } from "./nearest.ts";
export { checkOutputDirectory } from "./output-directory.ts";
export { runRecipe, trainMethod, type RunRecipeOptions } from "./run.ts";
export { resolveStudioDatasets } from "./studio-datasets.ts";
export type { Method, TrainingOutcome } from "../trainers/configs.ts";
