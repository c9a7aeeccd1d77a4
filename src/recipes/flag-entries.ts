/** Reads a recipe's keys from the command line: `--key value`, `--key=value`, `--flag`, `--no-flag`, `-` or `_`. */

import type { RecipeEntries } from "./entries.ts";

/** What may follow a flag: nothing or a boolean, one value, several values, or perhaps a value. */
export type FlagShape = "boolean" | "value" | "list" | "optional";

const isFlag = (word: string): boolean => word.startsWith("-") && !/^-(\d|\.\d|inf|$)/i.test(word);
const isBoolean = (word: string): boolean => /^(true|false|yes|no|on|off|0|1)$/i.test(word);

/** `shapeOf` gets a key with underscores; undefined for a key that is not known. */
export function parseFlagEntries(words: readonly string[], shapeOf: (key: string) => FlagShape | undefined): RecipeEntries {
  const result: RecipeEntries = { entries: [], problems: [], notes: [] };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("--") || word.length < 3) {
      const hint = word.startsWith("-") ? "flags start with --" : "expected --key value";
      result.problems.push(`${word}: ${hint}`);
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    let key = flag.slice(2).replaceAll("-", "_");
    let value: unknown = equals < 0 ? undefined : word.slice(equals + 1);
    let shape = shapeOf(key);
    if (shape === undefined && key.startsWith("no_") && shapeOf(key.slice(3)) === "boolean") {
      key = key.slice(3);
      if (value !== undefined) {
        result.problems.push(`${flag}: expected no value, found ${JSON.stringify(value)}`);
        continue;
      }
      result.entries.push({ key, value: false, place: flag });
      continue;
    }
    // The value of an unknown key is taken along, so that it is not reported as well.
    shape ??= "optional";
    if (value === undefined) {
      const following: string[] = [];
      const most = shape === "list" ? Infinity : 1;
      while (following.length < most && i + 1 < words.length && !isFlag(words[i + 1]!)) {
        if (shape === "boolean" && !isBoolean(words[i + 1]!)) break;
        following.push(words[++i]!);
      }
      if (shape === "list") {
        value = following.length === 1 ? following[0] : following;
        if (following.length === 0) value = undefined;
      } else value = following[0];
      if (value === undefined) {
        if (shape === "value" || shape === "list") {
          result.problems.push(`${flag}: expected a value after it, found ${i + 1 < words.length ? words[i + 1]! : "nothing"}`);
          continue;
        }
        value = true;
      }
    }
    result.entries = result.entries.filter((entry) => entry.key !== key);
    result.entries.push({ key, value, place: flag });
  }
  return result;
}
