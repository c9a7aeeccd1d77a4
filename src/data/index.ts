export { createDataset, loadDataset, type LoadDatasetOptions, specFromName } from "./dataset.ts";
export { findLocalFiles } from "./dataset-files.ts";
export { splitExamples, splitPattern, type DatasetSpec } from "./dataset-spec.ts";
export { makeEpochOrder, type SamplingStrategy } from "./epoch-order.ts";
export { detectFormat, type DetectedFormat, EXPECTED_COLUMNS, type FormatOptions } from "./formats/detect-format.ts";
export { makeTaskPrompt } from "./formats/label-studio.ts";
export type {
  Content,
  ExampleFor,
  Message,
  PreferenceExample,
  PromptExample,
  Purpose,
  TextExample,
  UnpairedExample,
} from "./formats/example.ts";
export { splitSharedPrompt } from "./formats/implicit-prompt.ts";
export { concatRows, createMemoryRows, type IndexedRows, mapRows, selectRows } from "./indexed-rows.ts";
export { groupCurrentLabels, keyOfTask, selectCurrentLabels } from "./labels/current-labels.ts";
export { type LabelPairsOptions, makeLabelPairs, makeLabelPairsInTurns, type PairRow } from "./labels/label-pairs.ts";
export { isLabelRow, isRanking, type LabelCandidate, type LabelChoice, type LabelRow, parseLabelRow } from "./labels/label-row.ts";
export { listPreferences, type Preference, type RankedPairs } from "./labels/preferences.ts";
export { loadStudioExport } from "./label-studio/expand-studio.ts";
export type { SideNames } from "./label-studio/studio-results.ts";
export { type ReadStudioOptions, readStudioTask, type StudioLabel } from "./label-studio/studio-task.ts";
export { type FileFormat, loadFile, type LoadFileOptions } from "./load-file.ts";
export { type Batch, createLoader, type Loader, type LoaderCursor, type LoaderOptions } from "./loader.ts";
export { type Dataset, type DatasetPart, mixDatasets, selectDataset, splitDataset } from "./mixture.ts";
export { type PackedText, type PackingStrategy, packTexts } from "./packing.ts";
export type { PreparedRows, PrepareOptions } from "./prepare.ts";
export { preparePairs, type PreparePairsOptions, prepareUnpaired } from "./prepare-pairs.ts";
export { preparePrompts } from "./prepare-prompts.ts";
export { packPreparedTexts, prepareTexts, type PrepareTextsOptions } from "./prepare-texts.ts";
export { formatPlace, isRow, type Row, type RowPlace } from "./row.ts";
export { createTokeniseContext, type DataTokenizer, type EventSink, type TokeniseContext } from "./tokenise-content.ts";
export { type TokenizedCompletion, type TokenizedPair, tokenisePair, tokeniseUnpaired } from "./tokenise-pair.ts";
export { tokenisePrompt, type TokenizedPrompt } from "./tokenise-prompt.ts";
export { tokeniseText, type TokenizedText, type TokeniseTextOptions } from "./tokenise-text.ts";
