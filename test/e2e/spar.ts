/** The built command line as a child process. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../child-environment.ts";

export const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Finished {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves once standard output and error together hold `text`; rejects where the process ends before. */
  waitFor(text: string): Promise<void>;
}

export interface SparOptions {
  readonly cwd?: string;
  readonly env?: { readonly [name: string]: string };
  /** What runs in front of node: `setpriv …`. */
  readonly wrapper?: readonly string[];
  /** What stands on standard input; without it there is none. */
  readonly input?: string;
}

export function startSpar(args: readonly string[], { cwd, env = {}, wrapper = [], input }: SparOptions = {}): Running {
  const [command, ...rest] = [...wrapper, process.execPath, cli, ...args];
  const child = spawn(command, rest, {
    env: { ...childEnvironment, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  child.stdin?.end(input);
  let [stdout, stderr] = ["", ""];
  const waiting: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];
  const look = (): void => {
    for (const entry of waiting) if ((stdout + stderr).includes(entry.text)) entry.resolve();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    look();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    look();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      for (const entry of waiting) entry.reject(new Error(`ended with ${code} before "${entry.text}" came:\n${stdout}${stderr}`));
      resolve({ code, stdout, stderr });
    });
  });
  return {
    child,
    finished,
    waitFor: (text) =>
      new Promise((resolve, reject) => {
        waiting.push({ text, resolve, reject });
        look();
      }),
  };
}

export const runSpar = (args: readonly string[], options?: SparOptions): Promise<Finished> => startSpar(args, options).finished;

/** Parsed lines of JSON. */
export const parseRows = (text: string): { [key: string]: unknown }[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });
