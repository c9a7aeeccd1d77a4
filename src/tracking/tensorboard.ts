/**
 * TensorBoard event files: `tensorboard --logdir OUTPUT_DIR` shows scalars, samples as text, histograms, and the recipe as
 * hyper-parameters.
 */

import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createHistogram } from "./histogram.ts";
import { nameMetric } from "./metric-names.ts";
import { collectSampleNumbers } from "./sample-table.ts";
import {
  encodeEvent,
  encodeSessionEnd,
  encodeSessionStart,
  frameRecord,
  type EventRecord,
  type EventValue,
  type HyperParameter,
} from "./tensorboard-events.ts";
import type { SampleRow, Tracker } from "./tracker.ts";

export type TensorBoardOptions = {
  /** The run's folder; the files go into `runs/` in it. */
  folder: string;
  /** The files' folder itself, where it is another one. */
  logFolder?: string;
  config: { readonly [key: string]: unknown };
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
};

/** A step's samples are counted where they are enough for a picture. */
const fewestForHistogram = 16;

function formatSamples(rows: readonly SampleRow[]): string {
  const escape = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", "<br>");
  const lines = rows.slice(0, 16).map((row) => {
    const scores = Object.entries(row.scores ?? {}).map(([name, score]) => `${name} ${score.toFixed(3)}`);
    return `| ${escape(row.prompt)} | ${escape(row.completion)} | ${scores.join(", ")} |`;
  });
  return ["| prompt | completion | scores |", "|---|---|---|", ...lines].join("\n");
}

function selectHyperParameters(config: { readonly [key: string]: unknown }): { [name: string]: HyperParameter } {
  const selected: { [name: string]: HyperParameter } = {};
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") selected[name] = value;
  }
  return selected;
}

export function createTensorBoardTracker(options: TensorBoardOptions): Tracker {
  const now = options.now ?? Date.now;
  const folder = options.logFolder ?? join(options.folder, "runs");
  mkdirSync(folder, { recursive: true });
  const milliseconds = String(now() % 1000).padStart(3, "0");
  const name = `events.out.tfevents.${Math.floor(now() / 1000)}.${hostname()}.${process.pid}.${milliseconds}`;
  const handle = openSync(join(folder, name), "a");
  let closed = false;

  function write(record: Omit<EventRecord, "wallTime">): void {
    if (closed) return;
    const frame = frameRecord(encodeEvent({ wallTime: now() / 1000, ...record }));
    for (let written = 0; written < frame.length;) written += writeSync(handle, frame, written);
  }

  write({ fileVersion: "brain.Event:2" });
  write({
    values: [{ tag: "_hparams_/session_start_info", hparams: encodeSessionStart(selectHyperParameters(options.config), now() / 1000) }],
  });

  function writeHistograms(step: number, numbers: { readonly [name: string]: readonly number[] }): void {
    const values: EventValue[] = [];
    for (const [name, list] of Object.entries(numbers)) {
      const histogram = createHistogram(list);
      if (histogram !== undefined) values.push({ tag: `histograms/${name}`, histogram });
    }
    if (values.length > 0) write({ step, values });
  }

  return {
    metrics(row) {
      const values: EventValue[] = [];
      for (const [metric, scalar] of Object.entries(row)) {
        if (metric !== "step" && typeof scalar === "number") values.push({ tag: nameMetric(metric), scalar });
      }
      if (values.length > 0) write({ step: row.step, values });
    },
    samples(rows) {
      const first = rows[0];
      if (first === undefined) return;
      write({ step: first.step, values: [{ tag: "samples/text_summary", text: formatSamples(rows) }] });
      if (rows.length >= fewestForHistogram) writeHistograms(first.step, collectSampleNumbers(rows));
    },
    histograms: writeHistograms,
    event(event) {
      const step = event["step"];
      if (event.code === "run/resumed" && typeof step === "number") write({ step: step + 1, purge: true });
    },
    progress() {},
    async close(status) {
      if (closed) return;
      write({ values: [{ tag: "_hparams_/session_end_info", hparams: encodeSessionEnd(status !== "failed", now() / 1000) }] });
      closed = true;
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}
