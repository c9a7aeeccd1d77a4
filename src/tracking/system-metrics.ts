/**
 * What a run costs the machine, as rows of system.jsonl: `time` (ISO 8601), `step` and `num_tokens` as far as known, `cpu_percent`
 * (100 is one core busy), `memory_mb` (resident set of the process, in 10⁶ bytes), `tokens_per_second`. The rows also say when a step was done:
 * those of metrics.jsonl have TRL's keys, and no time.
 */

import type { MetricsRow, Progress } from "./tracker.ts";

export type SystemRow = {
  time: string;
  step?: number;
  num_tokens?: number;
  cpu_percent: number;
  memory_mb: number;
  tokens_per_second?: number;
};

export interface SystemSampler {
  metrics(row: MetricsRow): void;
  progress(progress: Progress): void;
  /** Takes a last row. */
  stop(): void;
}

export type SystemSamplerOptions = {
  append: (row: SystemRow) => void;
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
};

/** A short run shows something too; a long one does not fill the disk. Milliseconds. */
const closeInterval = 1000;
const closeUntil = 60_000;
const interval = 5000;
/** Over less than this a share of processor time says nothing. Milliseconds. */
const shortest = 100;

/**
 * Takes a row now and then, by a timer that keeps no process alive and, since a step may hold the thread for longer, whenever the run has
 * something to say. A file that takes no rows ends the sampling and not the run.
 */
export function startSystemSampler({ append, now = Date.now }: SystemSamplerOptions): SystemSampler {
  const started = now();
  let last = started;
  let lastCPU = process.cpuUsage();
  let step: number | undefined;
  let counted: { tokens: number; time: number } | undefined;
  let rate: number | undefined;
  let stopped = false;

  function take(): void {
    const time = now();
    if (stopped || time - last < shortest) return;
    const used = process.cpuUsage(lastCPU);
    const cpu = (used.user + used.system) / 1000 / (time - last);
    lastCPU = process.cpuUsage();
    last = time;
    try {
      append({
        time: new Date(time).toISOString(),
        ...(step === undefined ? {} : { step }),
        ...(counted === undefined ? {} : { num_tokens: counted.tokens }),
        cpu_percent: Math.round(cpu * 1000) / 10,
        memory_mb: Math.round(process.memoryUsage.rss() / 1e5) / 10,
        ...(rate === undefined ? {} : { tokens_per_second: Math.round(rate * 10) / 10 }),
      });
    } catch {
      stopped = true;
      clearInterval(timer);
    }
  }

  function takeIfDue(): void {
    const time = now();
    if (time - last >= (time - started < closeUntil ? closeInterval : interval)) take();
  }

  const timer = setInterval(takeIfDue, closeInterval);
  timer.unref();
  return {
    metrics(row) {
      // An evaluation's row repeats a step; a resumed run goes back to one.
      step = row.step;
      const tokens = row["num_tokens"];
      if (tokens !== undefined) {
        const time = now();
        if (counted !== undefined && tokens > counted.tokens && time > counted.time)
          rate = ((tokens - counted.tokens) / (time - counted.time)) * 1000;
        counted = { tokens, time };
      }
      takeIfDue();
    },
    progress({ stage, done, details }) {
      if (stage === "training") step = done;
      const told = details?.["tokens/s"] ?? details?.["tokens_per_second"];
      // An average since the start: second choice.
      if (counted === undefined && typeof told === "number") rate = told;
      takeIfDue();
    },
    stop() {
      clearInterval(timer);
      take();
      stopped = true;
    },
  };
}
