export { createConsoleTracker, type ConsoleOptions } from "./console.ts";
export { createFanOut, type NamedTracker } from "./fan-out.ts";
export { createJsonLinesTracker } from "./json-lines.ts";
export { createTrackers, availableTrackers, listTrackersWithUnsentRows } from "./report-to.ts";
export { openRunDirectory, readRunRecord, type RunDirectory, type RunRecord, type RunStatus } from "./run-directory.ts";
export { acquireLock, acquireRunLock, lockFileName, type RunLock } from "./run-lock.ts";
export { createTensorBoardTracker } from "./tensorboard.ts";
export type { TrackerSettings } from "./tracker-settings.ts";
export type { MetricsRow, Progress, RunEvent, SampleRow, Tracker } from "./tracker.ts";
