/** Reads a recipe's YAML with the line of every key. */

import type { RecipeEntries } from "./entries.ts";

/** The yaml package gives a merge key's value as a symbol. */
const isMergeKey = (key: string): boolean => key === "<<" || key === "Symbol(<<)";

/** `file` is the name to show in messages. */
export async function parseYamlEntries(text: string, file: string): Promise<RecipeEntries> {
  const { isMap, isScalar, isNode, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  // Which of two values is meant nobody can tell (Python's YAML takes the last); the same value twice, as some published
  // recipes have it, only deserves a note.
  const document = parseDocument(text.replace(/^\uFEFF/, ""), { lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: true });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const result: RecipeEntries = { entries: [], problems: [], notes: [] };

  const [error] = document.errors;
  // Those after the first are mostly its consequences.
  if (error !== undefined) {
    const problem = `${file}:${lineAt(error.pos[0])}: not valid YAML: ${error.message.replaceAll(/\s+/g, " ")}`;
    return { ...result, problems: [problem], isBroken: true };
  }
  const root = document.contents;
  if (root === null) {
    if (text.trim() !== "") return result;
    return { ...result, problems: [`${file}:1: the recipe is empty: expected lines of key: value`], isBroken: true };
  }
  if (!isMap(root)) {
    const found = isScalar(root) ? "a single value" : "a list";
    return { ...result, problems: [`${file}:1: expected lines of key: value, found ${found}`], isBroken: true };
  }
  const seen = new Map<string, { line: number; value: string }>();
  let mergeLine: number | undefined;
  const merged = new Map<string, unknown>(Object.entries(document.toJS() as { [key: string]: unknown }));
  for (const item of root.items) {
    const keyNode = item.key;
    const line = isNode(keyNode) && keyNode.range ? lineAt(keyNode.range[0]) : 1;
    const key = isScalar(keyNode) ? String(keyNode.value) : String(keyNode);
    const place = `${file}:${line}`;
    if (isMergeKey(key)) {
      mergeLine = line;
      continue;
    }
    const value: unknown = isNode(item.value) ? item.value.toJS(document) : item.value;
    const earlier = seen.get(key);
    const shown = JSON.stringify(value) ?? "null";
    seen.set(key, { line, value: shown });
    if (earlier !== undefined) {
      if (earlier.value === shown) result.notes.push(`${place}: ${key} is set twice, in line ${earlier.line} too`);
      else result.problems.push(`${place}: ${key} is set twice, with another value in line ${earlier.line}: leave one of them out`);
      result.entries = result.entries.filter((entry) => entry.key !== key);
    }
    const placeOf = (path: readonly PropertyKey[]): string => {
      for (let length = path.length; length > 0; length--) {
        const node: unknown = isNode(item.value) && "getIn" in item.value ? item.value.getIn(path.slice(0, length), true) : undefined;
        if (isNode(node) && node.range) return `${file}:${lineAt(node.range[0])}`;
      }
      return place;
    };
    result.entries.push({ key, value, place, placeOf });
    merged.delete(key);
  }
  // A merge key's values are in `merged`: what is left there was not set in the map itself.
  if (mergeLine === undefined) return result;
  for (const [key, value] of merged) if (!isMergeKey(key)) result.entries.push({ key, value, place: `${file}:${mergeLine}` });
  return result;
}
