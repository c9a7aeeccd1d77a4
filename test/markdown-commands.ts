/**
 * The commands of a Markdown page, and a way to run them as a reader would. In a page:
 * - every ```bash block is run, line by line, in one temporary folder that looks like the clone (models/, recipes/ and
 *   examples/ are there); `npx spar` is the built command line;
 * - `<!-- file: NAME -->` before any other block writes that block to NAME first, so that pages show real files;
 * - `<!-- covered by PATH -->` before a ```bash block says that PATH runs its commands instead (too long, or about the
 *   clone itself); PATH must hold each of the lines word for word.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "./child-environment.ts";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

export type PageStep =
  | { kind: "file"; line: number; name: string; content: string }
  | { kind: "command"; line: number; command: string; coveredBy?: string };

/** Files and commands of a page in reading order. Comments and `\` at line ends are resolved. */
export function parseMarkdownCommands(page: string): PageStep[] {
  const steps: PageStep[] = [];
  const blocks = page.matchAll(/(?:<!--\s*(file:|covered by)\s*(\S+)\s*-->\s*\n)?^```(\w*)[^\n]*\n([\s\S]*?)^```\s*$/gm);
  for (const block of blocks) {
    const [whole, directive, name, language, content] = block as RegExpMatchArray & [string, string, string, string, string];
    const line = page.slice(0, block.index + whole.indexOf("```")).split("\n").length;
    if (directive === "file:") steps.push({ kind: "file", line, name, content });
    else if (language === "bash" || language === "sh") {
      for (const command of splitCommands(content)) {
        steps.push({ kind: "command", line, command, ...(directive === "covered by" ? { coveredBy: name } : {}) });
      }
    }
  }
  return steps;
}

function splitCommands(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter((line) => line !== "");
}

/** Ids of models on the hub in a page's commands, without revisions: what a model's flag names and is no path of a clone. */
export function findHubIds(steps: readonly PageStep[]): string[] {
  const ids = steps.flatMap((step) => {
    if (step.kind !== "command" || step.coveredBy !== undefined) return [];
    const flags = step.command.matchAll(/--\w*model(?:[_-]name[_-]or[_-]path|[_-]path)?[= ]([\w.-]+\/[\w.-]+)/g);
    return [...flags].map((match) => match[1] ?? "").filter((id) => !/^(\.|runs\/)/.test(id) && !existsSync(join(root, id)));
  });
  return [...new Set(ids)];
}

/**
 * A folder like the clone, with `npx spar` mapped to dist/. `run` resolves to exit code and output; Ctrl-C comes when the command has printed
 * `stopAt`, and `meanwhile` is done, which is given what was printed.
 */
export function openScratchClone(env: Record<string, string> = {}): {
  folder: string;
  run: (
    command: string,
    timeoutMs: number,
    stopAt?: string,
    meanwhile?: (output: string) => Promise<void>,
  ) => Promise<{ code: number | null; output: string }>;
  remove: () => void;
} {
  const folder = mkdtempSync(join(tmpdir(), "spar-page-"));
  for (const name of ["models", "recipes", "examples", "package.json", "node_modules", "dist"]) {
    if (existsSync(join(root, name))) symlinkSync(join(root, name), join(folder, name));
  }
  const bin = join(folder, ".bin");
  mkdirSync(bin);
  writeFileSync(
    join(bin, "npx"),
    `#!/bin/sh\n[ "$1" = spar ] || { echo "only npx spar is known here: $*" >&2; exit 2; }\nshift\nexec "${process.execPath}" "${join(root, "dist/cli/main.js")}" "$@"\n`,
  );
  chmodSync(join(bin, "npx"), 0o755);
  const path = `${bin}${delimiter}${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
  return {
    folder,
    run: (command, timeoutMs, stopAt, meanwhile = () => Promise.resolve()) =>
      new Promise((done, fail) => {
        const child = spawn("bash", ["-euo", "pipefail", "-c", command], {
          cwd: folder,
          env: { ...childEnvironment, NO_COLOR: "1", HF_HOME: join(folder, ".hf"), ...env, PATH: path },
          stdio: ["ignore", "pipe", "pipe"],
          timeout: timeoutMs,
        });
        let output = "";
        let isStopped = false;
        const read = (chunk: Buffer): void => {
          output += chunk.toString();
          if (stopAt === undefined || isStopped || !output.includes(stopAt)) return;
          isStopped = true;
          meanwhile(output)
            .catch(fail)
            .finally(() => child.kill("SIGINT"));
        };
        child.stdout.on("data", read);
        child.stderr.on("data", read);
        child.on("error", fail);
        child.on("close", (code) => done({ code, output }));
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Writes a page's file into the scratch clone. */
export function writePageFile(folder: string, name: string, content: string): void {
  const path = resolve(folder, name);
  if (!path.startsWith(folder)) throw new Error(`a page may not write outside its folder: ${name}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** True where the named file of the repository holds the command word for word. */
export function isCovered(command: string, by: string): boolean {
  return existsSync(join(root, by)) && readFileSync(join(root, by), "utf8").includes(command);
}
