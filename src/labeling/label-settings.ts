/** How a project is labelled. */

/** `pair`: which of two; `ranking`: several, best first; `rating`: a number for each. */
export type LabelMode = "pair" | "ranking" | "rating";

/** `uncertain`: what a reward model can least decide comes first, with every fifth task drawn at random. */
export type LabelOrder = "file" | "random" | "uncertain";

export interface QueueSettings {
  readonly order: LabelOrder;
  /** Of the random order, of the tasks that all label, and of the sides. */
  readonly seed: number;
  /** People that are asked about each task. */
  readonly labelsPerTask: number;
  /** Share of the tasks, 0 … 1, that everybody labels. */
  readonly overlap: number;
  /** A reward model's margin of each task, smaller is less certain; NaN where there is none. For `uncertain`. */
  readonly margins?: ArrayLike<number>;
  /** Milliseconds after which a task that a tab holds may go to others. */
  readonly leaseTime: number;
}

export const defaultQueueSettings: QueueSettings = { order: "file", seed: 0, labelsPerTask: 1, overlap: 0, leaseTime: 5 * 60_000 };
