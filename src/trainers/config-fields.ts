/**
 * Building blocks of the methods' config schemas. Values come from YAML or from flags, so numbers and booleans are
 * also accepted as text (`"1e-5"`, `yes`), as Python's argument parser does. Each field carries what help texts and
 * error messages need: its kind, its default, what it expects, and one line of meaning.
 */

import * as z from "zod";
import { splitExamples, splitPattern } from "../data/index.ts";

export type FieldKind = "boolean" | "integer" | "number" | "text" | "choice" | "list" | "json";

export type FieldInfo = {
  kind: FieldKind;
  nullable: boolean;
  /** Completes "expected …". */
  expects: string;
  description: string;
  default: unknown;
};

const fieldInfos = new WeakMap<z.ZodType, FieldInfo>();

/** What a config schema says about one of its keys; undefined for a schema that was not made here. */
export function getFieldInfo(schema: z.ZodType): FieldInfo | undefined {
  return fieldInfos.get(schema);
}

function defineField<S extends z.ZodType>(schema: S, info: FieldInfo) {
  const described = schema.default(info.default as never).describe(info.description);
  fieldInfos.set(described, info);
  return described;
}

function coerceNull(value: unknown): unknown {
  return typeof value === "string" && /^(none|null|~)$/i.test(value.trim()) ? null : value;
}

function coerceNumber(value: unknown): unknown {
  if (typeof value !== "string" || value.trim() === "") return value;
  const text = value.trim().replace(/(?<=\d)_(?=\d)/g, "");
  const number = /^[+-]?(inf|infinity)$/i.test(text) ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text);
  return Number.isNaN(number) ? value : number;
}

function coerceBoolean(value: unknown): unknown {
  if (value === 1) return true;
  if (value === 0) return false;
  if (typeof value !== "string") return value;
  if (/^(true|yes|on|y|t|1)$/i.test(value)) return true;
  if (/^(false|no|off|n|f|0)$/i.test(value)) return false;
  return value;
}

/** A model or a branch may be called `3` or `true` in YAML: text keys take the scalar's text. */
function coerceText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

/** JSON text (from a flag) becomes the value it denotes; other text stays. */
export function coerceJson(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

type Bounds = { min?: number; max?: number; above?: number; below?: number };

function describeBounds(noun: string, bounds: Bounds): string {
  const parts: string[] = [];
  if (bounds.min !== undefined) parts.push(`at least ${bounds.min}`);
  if (bounds.above !== undefined) parts.push(`above ${bounds.above}`);
  if (bounds.max !== undefined) parts.push(`at most ${bounds.max}`);
  if (bounds.below !== undefined) parts.push(`below ${bounds.below}`);
  return parts.length === 0 ? noun : `${noun} (${parts.join(", ")})`;
}

function boundedNumber(bounds: Bounds): z.ZodNumber {
  let schema = z.number();
  if (bounds.min !== undefined) schema = schema.gte(bounds.min);
  if (bounds.above !== undefined) schema = schema.gt(bounds.above);
  if (bounds.max !== undefined) schema = schema.lte(bounds.max);
  if (bounds.below !== undefined) schema = schema.lt(bounds.below);
  return schema;
}

export function booleanField(initial: boolean, description: string) {
  const info: FieldInfo = { kind: "boolean", nullable: false, expects: "true or false", description, default: initial };
  return defineField(z.preprocess(coerceBoolean, z.boolean()), info);
}

export function optionalBooleanField(description: string) {
  const info: FieldInfo = { kind: "boolean", nullable: true, expects: "true, false or null", description, default: null };
  return defineField(
    z.preprocess((value) => coerceBoolean(coerceNull(value)), z.boolean().nullable()),
    info,
  );
}

export function integerField(initial: number, description: string, bounds: Bounds = {}) {
  const expects = describeBounds("a whole number", bounds);
  const info: FieldInfo = { kind: "integer", nullable: false, expects, description, default: initial };
  return defineField(z.preprocess(coerceNumber, boundedNumber(bounds).int()), info);
}

export function optionalIntegerField(initial: number | null, description: string, bounds: Bounds = {}) {
  const expects = `${describeBounds("a whole number", bounds)} or null`;
  const info: FieldInfo = { kind: "integer", nullable: true, expects, description, default: initial };
  const schema = boundedNumber(bounds).int().nullable();
  return defineField(
    z.preprocess((value) => coerceNumber(coerceNull(value)), schema),
    info,
  );
}

export function numberField(initial: number, description: string, bounds: Bounds = {}) {
  const expects = describeBounds("a number", bounds);
  const info: FieldInfo = { kind: "number", nullable: false, expects, description, default: initial };
  return defineField(z.preprocess(coerceNumber, boundedNumber(bounds)), info);
}

export function optionalNumberField(initial: number | null, description: string, bounds: Bounds = {}) {
  const expects = `${describeBounds("a number", bounds)} or null`;
  const info: FieldInfo = { kind: "number", nullable: true, expects, description, default: initial };
  const schema = boundedNumber(bounds).nullable();
  return defineField(
    z.preprocess((value) => coerceNumber(coerceNull(value)), schema),
    info,
  );
}

export function textField(initial: string, description: string) {
  const info: FieldInfo = { kind: "text", nullable: false, expects: "text", description, default: initial };
  return defineField(z.preprocess(coerceText, z.string()), info);
}

/** A split of a data set, or a range of one. */
export function splitField(initial: string, description: string) {
  const info: FieldInfo = { kind: "text", nullable: false, expects: splitExamples, description, default: initial };
  return defineField(z.preprocess(coerceText, z.string().regex(splitPattern)), info);
}

export function optionalTextField(description: string, initial: string | null = null) {
  const info: FieldInfo = { kind: "text", nullable: true, expects: "text or null", description, default: initial };
  return defineField(
    z.preprocess((value) => coerceText(coerceNull(value)), z.string().min(1).nullable()),
    info,
  );
}

export function choiceField<const C extends readonly string[]>(choices: C, initial: C[number], description: string) {
  const expects = `one of ${choices.join(", ")}`;
  const info: FieldInfo = { kind: "choice", nullable: false, expects, description, default: initial };
  // YAML 1.1 reads a bare `no` as false, and Transformers has choices of that name.
  const coerce = (value: unknown) => (value === false && choices.includes("no") ? "no" : value);
  return defineField(z.preprocess(coerce, z.enum(choices)), info);
}

export function optionalChoiceField<const C extends readonly string[]>(choices: C, description: string) {
  const expects = `one of ${choices.join(", ")}, or null`;
  const info: FieldInfo = { kind: "choice", nullable: true, expects, description, default: null };
  return defineField(z.preprocess(coerceNull, z.enum(choices).nullable()), info);
}

/** One of the choices, or several. */
export function choiceListField<const C extends readonly string[]>(choices: C, initial: readonly C[number][], description: string) {
  const expects = `one or more of ${choices.join(", ")}`;
  const info: FieldInfo = { kind: "list", nullable: false, expects, description, default: initial };
  const coerce = (value: unknown) => {
    const list = coerceJson(value);
    return typeof list === "string" ? list.split(",").map((item) => item.trim()) : list;
  };
  // One message about the whole: the items are not what was written where a text was split into them.
  const chosen = z.custom<C[number][]>(
    (value) => Array.isArray(value) && value.length > 0 && value.every((item) => choices.includes(item as string)),
    {
      error: ({ input }) =>
        `expected ${expects}, found ${Array.isArray(input) && input.length > 0 ? input.map(String).join(", ") : JSON.stringify(input)}`,
    },
  );
  return defineField(z.preprocess(coerce, chosen), info);
}

export function textListField(initial: readonly string[], description: string) {
  const info: FieldInfo = { kind: "list", nullable: false, expects: "a list of texts", description, default: initial };
  const coerce = (value: unknown) => {
    const list = coerceJson(value);
    return typeof list === "string" ? [list] : list;
  };
  return defineField(z.preprocess(coerce, z.array(z.string().min(1))), info);
}

export function optionalNumberListField(description: string) {
  const info: FieldInfo = { kind: "list", nullable: true, expects: "a list of numbers or null", description, default: null };
  const coerce = (value: unknown) => {
    const list = coerceNull(coerceJson(value));
    const items = typeof list === "string" ? list.split(",") : typeof list === "number" ? [list] : list;
    return Array.isArray(items) ? items.map(coerceNumber) : items;
  };
  return defineField(z.preprocess(coerce, z.array(z.number()).nullable()), info);
}

/** A field of any other shape; text that looks like JSON is parsed first. */
export function jsonField<S extends z.ZodType>(schema: S, initial: z.output<S>, expects: string, description: string) {
  const nullable = schema.safeParse(null).success;
  const info: FieldInfo = { kind: "json", nullable, expects, description, default: initial };
  return defineField(
    z.preprocess((value) => coerceJson(nullable ? coerceNull(value) : value), schema),
    info,
  );
}
