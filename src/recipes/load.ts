/** From a YAML file and flags to a method's whole config: all errors at once, each with its place. */

import { readFile } from "node:fs/promises";
import { SparError, UsageError } from "../internal/errors.ts";
import type { Method, MethodConfigs } from "../trainers/configs.ts";
import type { RecipeEntries, RecipeEntry } from "./entries.ts";
import { parseFlagEntries, type FlagShape } from "./flag-entries.ts";
import { findNearest } from "./nearest.ts";
import { renderRecipe } from "./render.ts";
import { parseYamlEntries } from "./yaml-entries.ts";

type Resolved<M extends Method> = {
  method: M;
  /** Every key of the method, named as in the YAML. */
  config: MethodConfigs[M];
  /** Keys that were set and mean nothing on this engine. */
  ignored: string[];
  /** What else is worth saying about the recipe. */
  notes: string[];
  /** Environment variables that the recipe sets (TRL's `env`); applying them is the caller's business. */
  env: { [name: string]: string };
  /** The resolved recipe as YAML: running it again gives the same run. */
  yamlText: string;
};

export type ResolvedRecipe = { [M in Method]: Resolved<M> }[Method];

export type LoadRecipeOptions = {
  method: Method;
  /** Absent: flags and defaults alone. */
  configPath?: string;
  /** Words of the command line, without the command and its own flags. */
  flags?: readonly string[];
};

/** @throws SparError `recipe/not-readable` */
export async function readRecipeFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    const what = reason === "ENOENT" ? "no such file" : reason === "EISDIR" ? "it is a folder" : (cause as Error).message;
    throw new SparError("recipe/not-readable", `cannot read the recipe ${path}: ${what}`, {
      hint: "--config takes the path of a YAML file.",
      cause,
    });
  }
}

/**
 * A recipe whose files are there, too.
 * @throws SparError `recipe/not-readable`; `recipe/invalid`, or where flags are wrong `usage/invalid`, with every problem of file and flags
 */
export async function loadRecipe(options: LoadRecipeOptions): Promise<ResolvedRecipe> {
  const text = options.configPath === undefined ? undefined : await readRecipeFile(options.configPath);
  const yaml = text === undefined ? undefined : { text, file: options.configPath! };
  return resolveRecipe({ method: options.method, flags: options.flags, yaml }, { checkPaths: true });
}

export type ParseRecipeOptions = {
  method: Method;
  yaml?: { text: string; file: string } | undefined;
  flags?: readonly string[] | undefined;
};

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** As loadRecipe, from text; whether the files that it names are there is left open. */
export async function parseRecipe(options: ParseRecipeOptions): Promise<ResolvedRecipe> {
  return resolveRecipe(options, { checkPaths: false });
}

async function resolveRecipe(
  { method, yaml, flags = [] }: ParseRecipeOptions,
  { checkPaths }: { checkPaths: boolean },
): Promise<ResolvedRecipe> {
  const { configSchemas, datasetKeys, defaultWhenNull, getFieldInfo, ignoredKeys, ignoredPPOKeys, keyAliases, unavailableKeys } =
    await import("../trainers/configs.ts");
  const schema = configSchemas[method];
  const shape: { [key: string]: Parameters<typeof getFieldInfo>[0] } = schema.shape;
  const isIgnored = (key: string): boolean => ignoredKeys.has(key) || (method === "ppo" && ignoredPPOKeys.has(key));
  const isUnavailable = (key: string): boolean => Object.hasOwn(unavailableKeys, key);
  const canonical = (key: string): string => {
    if (Object.hasOwn(shape, key) || !Object.hasOwn(keyAliases, key)) return key;
    const name = keyAliases[key]!;
    return Object.hasOwn(shape, name) ? name : key;
  };
  const shapeOf = (written: string): FlagShape | undefined => {
    const key = canonical(written);
    if (!Object.hasOwn(shape, key)) return isIgnored(key) || isUnavailable(key) || key === "group_by_length" ? "optional" : undefined;
    const kind = getFieldInfo(shape[key]!)?.kind;
    if (key === "resume_from_checkpoint") return "optional";
    if (key === "report_to" || key === "datasets") return "list";
    return kind === "boolean" || kind === "list" ? kind : "value";
  };

  const nothing: RecipeEntries = { entries: [], problems: [], notes: [] };
  const fromFile = yaml === undefined ? nothing : await parseYamlEntries(yaml.text, yaml.file);
  const fromFlags = parseFlagEntries(flags, shapeOf);
  const problems = [...fromFile.problems, ...fromFlags.problems];
  if (fromFile.isBroken === true) throw createRecipeError(method, problems, { file: yaml?.file });
  const notes = [...fromFile.notes, ...fromFlags.notes];
  const ignored: string[] = [];
  let env: { [name: string]: string } = {};
  const chosen = new Map<string, RecipeEntry>();

  const takeEntry = (entry: RecipeEntry, takenHere: Map<string, RecipeEntry>): void => {
    const { place } = entry;
    if (entry.key === "env") {
      if (typeof entry.value !== "object" || entry.value === null || Array.isArray(entry.value)) {
        problems.push(`${place}: env: expected a map of variables, found ${show(entry.value)}`);
      } else env = Object.fromEntries(Object.entries(entry.value).map(([name, value]) => [name, String(value)]));
      return;
    }
    if (entry.key === "method") {
      if (entry.value !== method) problems.push(`${place}: method: the command is ${method}, found ${show(entry.value)}`);
      return;
    }
    let key = canonical(entry.key);
    let taken = entry;
    if (entry.key === "group_by_length" && Object.hasOwn(shape, "train_sampling_strategy")) {
      if (entry.value !== true && entry.value !== "true") return;
      key = "train_sampling_strategy";
      taken = { ...entry, value: "group_by_length" };
    }
    // Python's dataclasses have every older name too, as None.
    if (entry.value === null && (key !== entry.key || defaultWhenNull.has(key))) return;
    if (Object.hasOwn(shape, key)) {
      const other = takenHere.get(key);
      if (other !== undefined && other.key !== entry.key && JSON.stringify(other.value) !== JSON.stringify(taken.value)) {
        problems.push(`${place}: ${entry.key}: the same as ${other.key} (${other.place}), with another value`);
        return;
      }
      takenHere.set(key, taken);
      chosen.set(key, taken);
      return;
    }
    if (isUnavailable(key)) {
      const rule = unavailableKeys[key]!;
      const value = entry.value === "false" || entry.value === "null" || entry.value === "None" ? null : entry.value;
      if (!rule.isOff(value))
        problems.push(
          `${place}: ${entry.key}: ${rule.feature}: not part of this version; expected ${rule.off}, found ${show(entry.value)}`,
        );
      else if (key === "optim" && !/^adamw_torch(_fused)?$/.test(String(value ?? "adamw_torch"))) ignored.push("optim");
      return;
    }
    if (isIgnored(key)) {
      if (!ignored.includes(entry.key)) ignored.push(entry.key);
      return;
    }
    const others = (Object.keys(configSchemas) as Method[]).filter((name) => Object.hasOwn(configSchemas[name].shape, key));
    if (others.length > 0) {
      problems.push(`${place}: ${entry.key}: not a key of ${method} (it belongs to ${others.join(", ")})`);
      return;
    }
    const nearest = findNearest(entry.key.toLowerCase(), [...Object.keys(shape), ...ignoredKeys, ...Object.keys(unavailableKeys)]);
    problems.push(`${place}: ${entry.key}: unknown key${nearest === undefined ? "" : `; did you mean ${nearest}?`}`);
  };
  const inFile = new Map<string, RecipeEntry>();
  for (const entry of fromFile.entries) takeEntry(entry, inFile);
  const asFlags = new Map<string, RecipeEntry>();
  for (const entry of fromFlags.entries) takeEntry(entry, asFlags);
  // `datasets` wins over dataset_name within one source; a flag wins over the file whichever of the two it is.
  if (asFlags.has("dataset_name") && !asFlags.has("datasets")) chosen.delete("datasets");

  const values = Object.fromEntries([...chosen].map(([key, entry]) => [key, entry.value]));
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    const report = (issues: typeof parsed.error.issues): void => {
      for (const issue of issues) {
        const key = String(issue.path[0]);
        const entry = chosen.get(key);
        const place = entry === undefined ? (yaml?.file ?? `spar ${method}`) : (entry.placeOf?.(issue.path.slice(1)) ?? entry.place);
        problems.push(`${place}: ${describeIssue(issue, entry, getFieldInfo(shape[key]!)?.expects, datasetKeys)}`);
      }
    };
    report(parsed.error.issues);
    // Rules between keys are only checked once each key by itself is right: try again without the wrong ones.
    const wrong = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
    const again = schema.safeParse(Object.fromEntries(Object.entries(values).filter(([key]) => !wrong.has(key))));
    if (!again.success) report(again.error.issues.filter((issue) => !wrong.has(String(issue.path[0]))));
  }
  const hasWrongFlags = fromFlags.problems.length > 0 || problems.some((problem) => problem.startsWith("--"));
  const missing = checkPaths
    ? await (await import("./missing-paths.ts")).findMissingPaths(pickValid(shape, values), chosen)
    : { problems: [], hubModels: [] };
  problems.push(...missing.problems);
  const lineOf = (problem: string): number => Number(/^.*?:(\d+): /.exec(problem)?.[1] ?? Infinity);
  problems.sort((a, b) => (lineOf(a) < lineOf(b) ? -1 : lineOf(a) > lineOf(b) ? 1 : 0));
  if (problems.length > 0 || !parsed.success)
    throw createRecipeError(method, problems.map(nameFlagOnce), { file: yaml?.file, hasWrongFlags, hubModels: missing.hubModels });
  const config = parsed.data;
  if (config.dtype === "bfloat16" || config.dtype === "float16") ignored.push("dtype");
  const yamlText = await renderRecipe(method, config, env);
  return { method, config, ignored, notes, env, yamlText } as ResolvedRecipe;
}

type Issue = {
  code?: string | undefined;
  path: PropertyKey[];
  message: string;
  keys?: string[];
  input?: unknown;
  /** Of the several kinds of issue: what was expected. */
  expected?: string;
  values?: unknown[];
  minimum?: number | bigint;
  maximum?: number | bigint;
  inclusive?: boolean;
  origin?: string;
  errors?: Issue[][];
};

/** Completes "expected …" of a value inside another. */
function describeExpected(issue: Issue): string {
  const isText = issue.origin === "string" || issue.origin === "array";
  switch (issue.code) {
    case "invalid_type":
      return issue.expected ?? "another value";
    case "invalid_value":
      return `one of ${(issue.values ?? []).join(", ")}`;
    case "too_small":
      if (isText) return issue.origin === "array" ? "a list that is not empty" : "text that is not empty";
      return `a number ${issue.inclusive === true ? "of at least" : "above"} ${issue.minimum}`;
    case "too_big":
      return `a number ${issue.inclusive === true ? "of at most" : "below"} ${issue.maximum}`;
    case "invalid_union":
      return [...new Set((issue.errors ?? []).flatMap(([first]) => (first === undefined ? [] : [describeExpected(first)])))].join(" or ");
    default:
      return "another value";
  }
}

function describeIssue(issue: Issue, entry: RecipeEntry | undefined, expects: string | undefined, innerKeys: readonly string[]): string {
  const name = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .slice(1);
  if (issue.code === "custom")
    return entry === undefined || issue.message.includes("is missing") ? issue.message : `${name}: ${issue.message}`;
  if (entry === undefined) return `${name}: ${issue.message}`;
  if (issue.code === "unrecognized_keys") {
    const [unknown = ""] = issue.keys ?? [];
    const nearest = findNearest(unknown, innerKeys);
    return `${name}: unknown key ${unknown}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
  }
  if (issue.path.length === 1) return `${entry.key}: expected ${expects ?? "another value"}, found ${show(entry.value)}`;
  const inner = issue.path
    .slice(1)
    .reduce<unknown>((value, part) => (value as { [key: PropertyKey]: unknown } | undefined)?.[part], entry.value);
  const expected = describeExpected(issue);
  return inner === undefined ? `${name} is missing: expected ${expected}` : `${name}: expected ${expected}, found ${show(inner)}`;
}

/** `--max-steps: max_steps: expected …` → `--max-steps: expected …`: a flag's place is its name. */
function nameFlagOnce(problem: string): string {
  const [, flag, rest] = /^(--[\w-]+): (\w+(?:[^\w].*)?)$/s.exec(problem) ?? [];
  const key = flag?.slice(2).replaceAll("-", "_");
  if (flag === undefined || rest === undefined || key === undefined || !rest.startsWith(key) || /^\w/.test(rest.slice(key.length)))
    return problem;
  return `${flag}${rest.slice(key.length)}`;
}

/** The values that are valid by themselves. */
function pickValid(
  shape: { readonly [key: string]: { safeParse(value: unknown): { success: boolean; data?: unknown } } },
  values: { readonly [key: string]: unknown },
): { [key: string]: unknown } {
  const parsed = Object.entries(values).map(([key, value]) => [key, shape[key]!.safeParse(value)] as const);
  return Object.fromEntries(parsed.flatMap(([key, { success, data }]) => (success ? [[key, data]] : [])));
}

function createRecipeError(
  method: Method,
  problems: readonly string[],
  { file, hasWrongFlags = false, hubModels = [] }: { file: string | undefined; hasWrongFlags?: boolean; hubModels?: readonly string[] },
): SparError {
  const head = problems.length === 1 ? "the recipe has an error" : `the recipe has ${problems.length} errors`;
  const message = `${head}:\n${problems.map((problem) => `  ${problem}`).join("\n")}`;
  // The hub is asked only when all else is right.
  const unasked = hubModels.length === 0 ? "" : `There is no folder ${hubModels.join(" or ")} here: that would be looked for on the hub.\n`;
  const hint = `${unasked}spar ${method} --help lists the keys${file === undefined ? "; --config names a recipe" : ""}.`;
  return hasWrongFlags ? new UsageError(message, { hint }) : new SparError("recipe/invalid", message, { hint });
}
