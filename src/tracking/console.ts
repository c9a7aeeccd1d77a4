/** A run for people: on a terminal one moving line with a bar, elsewhere plain lines, few of them. */

import type { MetricsRow, Progress, Tracker } from "./tracker.ts";

export type ConsoleOptions = {
  write: (text: string) => void;
  isTerminal: boolean;
  /** Columns of the terminal. */
  width?: () => number;
  color?: boolean;
  /** Milliseconds; for tests. */
  now?: () => number;
  /** Plain lines: at most one of metrics in this many milliseconds. */
  interval?: number;
};

const redrawEvery = 100;
/** Shown first, in this order; other metrics are in metrics.jsonl. */
const shownMetrics = [
  "loss",
  "eval_loss",
  "eval_accuracy",
  "accuracy",
  "rewards/accuracies",
  "rewards/margins",
  "objective/scores",
  "objective/kl",
  "objective/rlhf_reward",
  "mean_token_accuracy",
  "grad_norm",
  "learning_rate",
  "tokens_per_second",
  "outside/mean_score",
  "outside/win_rate",
  "gain/gain",
  "gain/accuracy",
  "answers/mean_length",
  "pairs",
  "seconds/total",
];
/** Where the last part of a metric's name says too little. */
const labels = new Map([
  ["outside/mean_score", "outside_score"],
  ["answers/mean_length", "length"],
  ["seconds/total", "seconds"],
]);

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2);
  return value
    .toPrecision(4)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

function formatRow(row: MetricsRow): string {
  const shown = shownMetrics.filter((name) => row[name] !== undefined);
  const evaluations = Object.keys(row).filter(
    (name) => /^eval_.*(loss|accuracy|accuracies|margins|perplexity|bits_per_byte|correlation)$/.test(name) && !shown.includes(name),
  );
  const parts = [...shown, ...evaluations].map(
    (name) => `${labels.get(name) ?? name.replace(/^(eval_)?.*\//, "$1")} ${formatNumber(row[name]!)}`,
  );
  return `step ${row.step}${parts.length > 0 ? `  ${parts.join("  ")}` : ""}`;
}

export function createConsoleTracker(options: ConsoleOptions): Tracker {
  const now = options.now ?? Date.now;
  const interval = options.interval ?? 5000;
  const paint = (code: number, text: string): string => (options.color === true ? `\x1b[${code}m${text}\x1b[0m` : text);
  let stage = "";
  let stageStarted = now();
  let stageFirst = 0;
  let current: Progress | undefined;
  let latest: MetricsRow | undefined;
  let barDrawn = false;
  let lastDraw = -Infinity;
  let lastLine = -Infinity;
  let held: MetricsRow | undefined;

  function eraseBar(): void {
    if (barDrawn) options.write("\r\x1b[K");
    barDrawn = false;
  }

  function printLine(text: string): void {
    eraseBar();
    options.write(`${text}\n`);
  }

  function describeProgress(progress: Progress): { text: string; share: number | undefined } {
    const { done, total } = progress;
    const parts = [total === undefined ? `${done}` : `${done}/${total}`];
    if (progress.unit !== undefined) parts[0] += ` ${progress.unit}`;
    for (const [name, value] of Object.entries(progress.details ?? {})) {
      const label = name === "tokens_per_second" ? "tok/s" : name;
      parts.push(`${label} ${typeof value === "number" ? formatNumber(value) : value}`);
    }
    if (progress.details?.["loss"] === undefined && latest?.["loss"] !== undefined) parts.push(`loss ${formatNumber(latest["loss"])}`);
    const elapsed = (now() - stageStarted) / 1000;
    // The rate since this stage was first seen: a resumed run starts in the middle.
    const rate = (done - stageFirst) / elapsed;
    if (total !== undefined && done < total && rate > 0 && elapsed > 1) parts.push(`ETA ${formatDuration((total - done) / rate)}`);
    return { text: parts.join("  "), share: total === undefined || total <= 0 ? undefined : Math.min(1, done / total) };
  }

  function drawBar(progress: Progress): void {
    const { text, share } = describeProgress(progress);
    const width = options.width?.() ?? 80;
    const cells = Math.max(0, Math.min(24, width - progress.stage.length - text.length - 6));
    let bar = "";
    if (share !== undefined && cells >= 6) {
      const full = Math.round(share * cells);
      bar = `${paint(32, "█".repeat(full))}${paint(2, "░".repeat(cells - full))} `;
    }
    const room = width - 1 - (bar === "" ? 0 : cells + 1);
    options.write(`\r\x1b[K${bar}${`${progress.stage} ${text}`.slice(0, Math.max(0, room))}`);
    barDrawn = true;
  }

  function flushHeld(): void {
    if (held === undefined) return;
    printLine(formatRow(held));
    held = undefined;
    lastLine = now();
  }

  return {
    metrics(row) {
      latest = { ...latest, ...row } as MetricsRow;
      const isEvaluation = Object.keys(row).some((name) => name.startsWith("eval_"));
      if (options.isTerminal && !isEvaluation) return;
      if (isEvaluation || now() - lastLine >= interval) {
        held = row;
        flushHeld();
      } else held = row;
    },
    samples() {},
    event(event) {
      // What was logged before it stands before it.
      flushHeld();
      if (event.level === "warning") printLine(`${paint(33, "warning")} ${event.message}`);
      else if (event.level === "error") printLine(`${paint(31, "error")} ${event.message}`);
      else printLine(event.message);
    },
    progress(progress) {
      if (progress.stage !== stage) {
        flushHeld();
        stage = progress.stage;
        stageStarted = now();
        stageFirst = progress.done;
        lastDraw = -Infinity;
        if (!options.isTerminal) {
          const of = progress.total === undefined ? "" : ` (${progress.total}${progress.unit === undefined ? "" : ` ${progress.unit}`})`;
          printLine(`${progress.stage}${of}`);
        }
      }
      current = progress;
      if (!options.isTerminal) return;
      const complete = progress.total !== undefined && progress.done >= progress.total;
      if (!complete && now() - lastDraw < redrawEvery) return;
      lastDraw = now();
      drawBar(progress);
    },
    async close() {
      flushHeld();
      if (options.isTerminal && current !== undefined && barDrawn) {
        drawBar(current);
        options.write("\n");
        barDrawn = false;
      }
    },
  };
}
