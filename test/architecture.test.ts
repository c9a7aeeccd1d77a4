/** ARCHITECTURE.md in executable form: who may import whom, who may print, where Node may be used. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** A folder imports only from rows above its own. */
const layers = [
  ["internal"],
  ["tensor", "tracking", "report"],
  ["onnx", "optim", "checkpoint", "tokenizer", "hub"],
  ["runtime", "nn", "data"],
  ["models"],
  ["generation", "losses"],
  ["rewards", "labeling"],
  ["rollout", "evaluation"],
  ["trainers"],
  ["self-play"],
  ["recipes"],
  ["remote", "quickstart", "doctor"],
  ["server"],
  ["cli"],
];
/** A folder's public face, and its Node-only part where it has one. */
const doors = ["index.ts", "node.ts"];
/** Recipes and help texts read the schemas of the methods without loading a trainer. */
const schemas = join("trainers", "configs.ts");
const withoutNode = new Set(["tensor", "onnx", "nn", "losses", "optim"]);
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const src = join(root, "src");

const rowOf = (folder: string): number => layers.findIndex((row) => row.includes(folder));
const folderOf = (path: string): string => (path.includes(sep) ? path.slice(0, path.indexOf(sep)) : "");

type SourceFile = { path: string; folder: string; code: string; imports: string[] };

const files: SourceFile[] = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    // Comments go: they may name anything. (A string with // in it loses its end, which no check here reads.)
    const code = readFileSync(join(src, path), "utf8").replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1");
    const imports = [...code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1]);
    return { path, folder: folderOf(path), code, imports };
  });
const sources = files.filter((file) => !file.path.endsWith(".test.ts"));

/** [file, imported path below src/] of every relative import. */
function* relativeImports(of: SourceFile[]): Generator<[SourceFile, string]> {
  for (const file of of) {
    for (const specifier of file.imports) {
      if (specifier.startsWith(".")) yield [file, relative(src, resolve(src, dirname(file.path), specifier))];
    }
  }
}

function complaints(check: (file: SourceFile, target: string) => string | undefined, of = sources): string[] {
  return [...relativeImports(of)].flatMap(([file, target]) => {
    const complaint = check(file, target);
    return complaint === undefined ? [] : [`src/${file.path} imports ${target}: ${complaint}`];
  });
}

describe("architecture", () => {
  test("the walk finds the sources", () => {
    expect(sources.length).toBeGreaterThan(20);
    expect([...relativeImports(sources)].length).toBeGreaterThan(20);
  });

  test("every folder of src/ has a row in the layer table", () => {
    const folders = new Set(files.map((file) => file.folder).filter((folder) => folder !== ""));
    expect([...folders].filter((folder) => rowOf(folder) === -1)).toEqual([]);
  });

  test("a folder imports only from rows above its own", () => {
    expect(
      complaints(({ folder }, target) => {
        const [from, to] = [rowOf(folder), rowOf(folderOf(target))];
        if (folder === "" || folder === folderOf(target)) return undefined;
        if (target.startsWith("..")) return "outside src/";
        return to < from ? undefined : `row ${to} is not above row ${from}`;
      }),
    ).toEqual([]);
  });

  test("folders are entered through their doors; only internal/ is open", () => {
    const isDoor = (target: string): boolean => doors.some((name) => target === join(folderOf(target), name)) || target === schemas;
    const trespasses = complaints(({ folder }, target) =>
      folder === folderOf(target) || folderOf(target) === "internal" || isDoor(target) || target.startsWith("..")
        ? undefined
        : "not a door",
    );
    expect(trespasses).toEqual([]);
  });

  test("node:* stays out of the portable folders", () => {
    const found = sources.filter((file) => withoutNode.has(file.folder) && file.imports.some((name) => name.startsWith("node:")));
    expect(found.map((file) => file.path)).toEqual([]);
  });

  test("only cli/ and tracking/console.ts print", () => {
    const found = sources.filter(
      (file) =>
        file.folder !== "cli" &&
        file.path !== join("tracking", "console.ts") &&
        /\bconsole\.(log|info|warn|error|debug|table|dir|trace)\b|\bprocess\.std(out|err)\b/.test(file.code),
    );
    expect(found.map((file) => file.path)).toEqual([]);
  });

  test("only hub/ and cli/ read environment variables", () => {
    const found = sources.filter((file) => !["hub", "cli"].includes(file.folder) && /process\.env\b/.test(file.code));
    expect(found.map((file) => file.path)).toEqual([]);
  });

  test("the table in ARCHITECTURE.md is this one", () => {
    const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    for (const [row, names] of layers.entries()) expect(text).toContain(`| ${row} | ${names.join(" · ")} |`);
  });
});
