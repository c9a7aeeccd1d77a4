export type { DividedTask, LabelStatistics } from "./statistics.ts";
export { measureKrippendorffAlpha, measurePairAgreement, measureRawAgreement, type PairAgreement, type Unit } from "./agreement.ts";
export { type LabelBias, measureBias } from "./bias.ts";
export type { Guidelines } from "./guidelines.ts";
export { type LabelState } from "./label-book.ts";
export {
  type LabelProgress,
  type LabelProject,
  type LabelProjectOptions,
  nameLabelsFile,
  type NewLabel,
  openLabelProject,
  type SubmitResult,
} from "./label-project.ts";
export { defaultQueueSettings, type LabelMode, type LabelOrder, type QueueSettings } from "./label-settings.ts";
export { type LabelStore, openLabelStore } from "./label-store.ts";
export { loadTasks } from "./load-tasks.ts";
export { type LabelFileOptions, nameProject, openLabelFile } from "./open-label-file.ts";
export { createPairsWriter, type PairsWriter } from "./pairs-file.ts";
export { drawSides } from "./sides.ts";
export { type LabelTask, parseTaskRow, taskColumns } from "./task.ts";
export { checkLabelsFile, nameLabelFiles, pullProject, readStudioStatus } from "./label-studio/pull-project.ts";
export { writeText, writeWhole } from "./label-studio/pull-state.ts";
export { pullTasks } from "./label-studio/pull-tasks.ts";
export { pushTasks } from "./label-studio/push-tasks.ts";
export { createStudioClient, type StudioClient } from "./label-studio/studio-client.ts";
export { findStudioMode, readRatingMax, readSideNames, renderStudioConfig } from "./label-studio/studio-config.ts";
export { saveStudioDataset, type StudioDataset } from "./label-studio/studio-dataset.ts";
export { readStudioLabels, type StudioSummary } from "./label-studio/studio-labels.ts";
export { openStudioProject } from "./label-studio/studio-project.ts";
export { makeStudioTasks } from "./label-studio/studio-tasks.ts";
