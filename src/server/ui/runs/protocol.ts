/**
 * What the runs page and the server say to each other, below `/api/runs`.
 *
 *   GET  /                       → RunList
 *   GET  /:run                   → RunDetail
 *   GET  /:run/series?keys=a,b&source=metrics|system&x=step|time|tokens&points=N&from=X&to=X → SeriesAnswer
 *   GET  /:run/config            → RunConfig
 *   GET  /:run/samples?step=N&text=T&sort=file|score|-score&offset=N&limit=N → SamplesPage
 *   GET  /:run/events            → EventsAnswer
 *   POST /:run/control           ControlRequest → ControlAnswer       (409 where the run does not run)
 *
 * Live topics (see event-hub.ts): `run:all`, data: RunList; `run:ID`, data: RunChange. A run's files are looked at only while somebody
 * has the page open.
 */

/** `killed`: run.json says running, and its process is gone. */
export type ShownStatus = "running" | "paused" | "finished" | "stopped" | "failed" | "killed";

export interface RunSummary {
  readonly id: string;
  /** The folder, relative to where spar was started. */
  readonly name: string;
  readonly method: string;
  readonly status: ShownStatus;
  /** The id of the run that this one is a stage of. */
  readonly parent: string | null;
  /** ISO 8601. */
  readonly started: string;
  readonly ended: string | null;
  readonly spar: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Of the last rows of metrics: what a table of runs shows. Null where the run has none of it. */
  readonly step: number | null;
  readonly loss: number | null;
  readonly reward: number | null;
  readonly rewardKey: string | null;
}

export interface RunList {
  readonly runs: readonly RunSummary[];
  /** Where was looked. */
  readonly folders: readonly string[];
}

export type Axis = "step" | "time" | "tokens";

export interface RunDetail extends RunSummary {
  readonly folder: string;
  readonly parentName: string | null;
  /** In the order in which they began. */
  readonly stages: readonly { readonly id: string; readonly name: string; readonly method: string; readonly status: ShownStatus }[];
  /** How many it will have, by its recipe. */
  readonly steps: number | null;
  /** As in RunChange. */
  readonly generation: number;
  readonly metrics: TableInfo;
  readonly system: TableInfo;
  readonly samples: { readonly rows: number; readonly steps: readonly number[] };
  readonly events: { readonly rows: number; readonly warnings: number; readonly signs: number };
  /** Which x a curve may have; `time` needs system.jsonl, `tokens` a count of tokens in the metrics. */
  readonly axes: readonly Axis[];
  /** Horizontal lines worth drawing: the KL that an adaptive controller aims at. */
  readonly targets: { readonly [key: string]: number };
  /** Why it cannot be stopped, paused or saved; null: it can. */
  readonly uncontrollable: string | null;
  /** What the control file asks for at the moment. */
  readonly control: Control | null;
}

export interface TableInfo {
  readonly rows: number;
  readonly keys: readonly { readonly key: string; readonly count: number; readonly last: number | null }[];
}

export interface SeriesAnswer {
  readonly x: Axis;
  readonly rows: number;
  readonly series: { readonly [key: string]: Series };
}

export interface Series {
  /** Points in the range asked for, before any were left out. */
  readonly count: number;
  /** Null: not a number, or infinite. */
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** Where points were left out: x and y hold the lowest and highest of each bucket, these the bucket's middle and its mean. */
  readonly meanX?: readonly number[];
  readonly mean?: readonly (number | null)[];
}

export interface RunConfig {
  readonly yaml: string;
  /** Keys with dots where a value is a mapping; values as JSON. */
  readonly values: { readonly [key: string]: unknown };
}

export interface SamplesPage {
  /** Rows that the filter accepts. */
  readonly total: number;
  readonly rows: readonly ShownSample[];
}

export interface ShownSample {
  /** Its place in samples.jsonl, from 0. */
  readonly row: number;
  readonly step: number;
  readonly prompt: string;
  readonly completion: string;
  readonly scores: { readonly [name: string]: number };
  /** Other columns. */
  readonly columns: { readonly [name: string]: unknown };
}

export interface EventsAnswer {
  /** Newest last; at most the last 1,000. */
  readonly events: readonly ShownEvent[];
  /** Signs of trouble that stand in the curves. */
  readonly signs: readonly Sign[];
}

export interface ShownEvent {
  readonly time: string | null;
  readonly code: string;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly step: number | null;
  readonly explanation: Explanation | null;
}

export interface Explanation {
  /** What it means, in a sentence. */
  readonly meaning: string;
  /** What to do. */
  readonly advice: string;
}

export interface Sign extends Explanation {
  readonly code: string;
  readonly title: string;
  /** The curve that shows it. */
  readonly key: string;
  /** The first step at which it stands. */
  readonly step: number;
}

export type Control = "stop" | "pause" | "save";

export interface ControlRequest {
  readonly request: Control | "resume";
}

export interface ControlAnswer {
  readonly control: Control | null;
}

/** Numbers of rows in the run's files: the page asks for what it shows of those that grew. */
export interface RunChange {
  readonly metrics: number;
  readonly system: number;
  readonly samples: number;
  readonly events: number;
  /** Rises when rows were cut off: what the page holds is of no use any more. */
  readonly generation: number;
  readonly status: ShownStatus;
  readonly control: Control | null;
}
