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
