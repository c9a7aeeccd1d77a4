/** What a training function gets from whoever starts it, and what it gives back. */

import type { Backend } from "../runtime/index.ts";
import type { Tracker } from "../tracking/index.ts";

/** What somebody wrote into the run's `control` file. */
export type ControlRequest = "stop" | "pause" | "save";

export type TrainingContext = {
  tracker: Tracker;
  /** Aborted when the run should save and stop at the next step boundary. */
  signal: AbortSignal;
  /** `true`: from the newest whole checkpoint of `output_dir`; a path: from that checkpoint; `false`: from the start. */
  resume: boolean | string;
  /** What to train on; absent: the CPU, for this run only. */
  backend?: Backend;
  /** To be called once the starting step is known (-1 where no checkpoint was found; of stages 0), before the first row: cuts logs back to it. */
  resumedAt?: (step: number) => void;
  /** Asked at step boundaries. `stop` and `save` are reported once; `pause` for as long as the file says so. */
  readControl?: () => ControlRequest | undefined;
  /** Key of an `openai:` judge for which the recipe names no file; never stored. */
  judgeApiKey?: string | undefined;
};

export type TrainingOutcome = {
  status: "finished" | "stopped";
  /** Optimizer updates made, resumed ones included. */
  steps: number;
  outputDir: string;
  /** The last logged values, by metric name. */
  metrics: { [name: string]: number };
};
