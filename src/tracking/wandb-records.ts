/** The messages of W&B's transaction log: wandb_internal.proto's `Record`, one kind a function. */

import { bytesField, decodeFields, integerField, textField, type WireField } from "./protobuf.ts";

/** JSON as W&B's clients write it: numbers that are not finite stand bare, and so they are charted. */
export function formatExtendedJson(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (Array.isArray(value)) return `[${value.map((item) => formatExtendedJson(item ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${formatExtendedJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** `Record.<field>` with the message of that kind. */
const encodeRecord = (field: number, message: Uint8Array): Buffer => bytesField(field, message);

function encodeTimestamp(milliseconds: number): Buffer {
  return Buffer.concat([integerField(1, Math.floor(milliseconds / 1000)), integerField(2, Math.floor((milliseconds % 1000) * 1e6))]);
}

export function encodeHeader(producer: string): Buffer {
  const version = Buffer.concat([textField(1, producer), textField(2, "0.40.0")]);
  return encodeRecord(21, bytesField(1, version));
}

export type WandbRun = {
  id: string;
  entity?: string;
  project: string;
  name?: string;
  group?: string;
  jobType?: string;
  notes?: string;
  tags?: readonly string[];
  host: string;
  config: { readonly [key: string]: unknown };
  /** Milliseconds since 1970. */
  started: number;
};

export function encodeRun(run: WandbRun): Buffer {
  const items = Object.entries(run.config).map(([key, value]) =>
    bytesField(1, Buffer.concat([textField(1, key), textField(16, formatExtendedJson(value))])),
  );
  const texts: readonly [number, string | undefined][] = [
    [1, run.id],
    [2, run.entity],
    [3, run.project],
    [6, run.group],
    [7, run.jobType],
    [8, run.name],
    [9, run.notes],
    [13, run.host],
  ];
  return encodeRecord(
    17,
    Buffer.concat([
      ...texts.flatMap(([field, text]) => (text === undefined ? [] : [textField(field, text)])),
      bytesField(4, Buffer.concat(items)),
      ...(run.tags ?? []).map((tag) => textField(10, tag)),
      bytesField(17, encodeTimestamp(run.started)),
    ]),
  );
}

/** Charts have the optimizer's step for their x. */
export function encodeStepMetrics(stepMetric: string): Buffer[] {
  const defined = Buffer.concat([textField(1, stepMetric), bytesField(6, integerField(3, 1))]);
  const all = Buffer.concat([textField(2, "*"), textField(4, stepMetric), bytesField(6, integerField(1, 1))]);
  return [encodeRecord(12, defined), encodeRecord(12, all)];
}

/** A row of the history; keys are taken whole, dots and slashes are no paths. */
export function encodeHistory(row: { readonly [key: string]: unknown }, step: number): Buffer {
  const items = Object.entries(row).map(([key, value]) =>
    bytesField(1, Buffer.concat([textField(2, key), textField(16, formatExtendedJson(value))])),
  );
  return encodeRecord(2, Buffer.concat([...items, bytesField(2, integerField(1, step))]));
}

export function encodeSummary(values: { readonly [key: string]: unknown }): Buffer {
  const items = Object.entries(values).map(([key, value]) =>
    bytesField(1, Buffer.concat([textField(2, key), textField(16, formatExtendedJson(value))])),
  );
  return encodeRecord(3, Buffer.concat(items));
}

/** A line of the console. */
export function encodeOutput(line: string, milliseconds: number): Buffer {
  return encodeRecord(13, Buffer.concat([integerField(1, 1), bytesField(2, encodeTimestamp(milliseconds)), textField(3, `${line}\n`)]));
}

/** A file below `files/` that is to be uploaded. */
export function encodeMediaFile(path: string): Buffer {
  return encodeRecord(6, bytesField(1, Buffer.concat([textField(1, path), integerField(3, 2)])));
}

export function encodeExit(code: number, runtimeSeconds: number): Buffer {
  return encodeRecord(18, Buffer.concat([integerField(1, code), integerField(2, Math.floor(runtimeSeconds))]));
}

export type WandbRecord =
  | { kind: "history"; row: { [key: string]: string } }
  | { kind: "output"; line: string }
  | { kind: "summary" | "exit" | "header" | "run" | "other" };

const otherKinds: { readonly [field: number]: "summary" | "exit" | "header" | "run" } = {
  3: "summary",
  17: "run",
  18: "exit",
  21: "header",
};

/** As much of a record as going on with a log needs: a history's values stay JSON texts. */
export function decodeRecord(bytes: Buffer): WandbRecord {
  const [first] = decodeFields(bytes).filter(({ value }) => typeof value !== "number");
  if (first === undefined || typeof first.value === "number") return { kind: "other" };
  const message = decodeFields(first.value);
  const textOf = (fields: readonly WireField[], wanted: number): string | undefined => {
    const found = fields.find(({ field }) => field === wanted)?.value;
    return found === undefined || typeof found === "number" ? undefined : found.toString("utf8");
  };
  if (first.field === 13) return { kind: "output", line: (textOf(message, 3) ?? "").replace(/\n$/, "") };
  if (first.field !== 2) return { kind: otherKinds[first.field] ?? "other" };
  const row: { [key: string]: string } = {};
  for (const { field, value } of message) {
    if (field !== 1 || typeof value === "number") continue;
    const item = decodeFields(value);
    const name = textOf(item, 2) ?? textOf(item, 1);
    if (name !== undefined) row[name] = textOf(item, 16) ?? "null";
  }
  return { kind: "history", row };
}
