/** Where commands write: rows to standard output, words for people beside them, errors with a hint. */

import { InterruptedError, SparError, UsageError } from "../internal/errors.ts";

export const exitCodes = { ok: 0, userError: 1, usage: 2, bug: 70, interrupted: 130 } as const;

export type OutputStream = {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
};

export interface CommandIO {
  /** `--json`: standard output holds result rows only. */
  readonly json: boolean;
  readonly debug: boolean;
  /** Whether people watch the words (standard error), so that bars may move. */
  readonly isTerminal: boolean;
  /** Aborted by the first Ctrl-C, once `handleInterrupts` is on. */
  readonly signal: AbortSignal;
  /** A result row, as a JSON line on standard output. */
  row(row: unknown): void;
  /** A result in words: standard output, with `--json` standard error. Adds the newline. */
  say(text: string): void;
  /** Text as it is to where `say` goes: for streamed tokens. */
  write(text: string): void;
  /** What is not a result (progress, remarks): standard error. Adds the newline. */
  note(text: string): void;
  /** Text as it is to standard error. */
  writeNote(text: string): void;
  /** `code` is an SGR number (1 bold, 2 dim, 31 red …); plain where colours are not wanted. */
  paint(code: number, text: string): string;
  /** Columns of the terminal; 80 where there is none. */
  width(): number;
  /** Before long work: the first Ctrl-C aborts `signal` and says `message`, the third ends the process at once. */
  handleInterrupts(message: string): void;
  /**
   * What happens when the reader of standard output has gone, or its disk is full: the command goes on without it, or `signal`
   * is aborted. Without this call the process ends, quietly where a reader has gone.
   */
  handleBrokenPipe(reaction: "go-on" | "abort"): void;
}

export type CommandIOOptions = {
  json: boolean;
  debug: boolean;
  stdout: OutputStream;
  stderr: OutputStream;
  /** NO_COLOR and FORCE_COLOR are read from here. */
  env: { readonly [name: string]: string | undefined };
  /** Calls back on each SIGINT or SIGTERM. */
  onInterrupt?: (listener: () => void) => void;
  exit?: (code: number) => void;
  /** Milliseconds; for tests. */
  now?: () => number;
  /** Calls back when standard output or error breaks, instead of ending the process. */
  onBrokenPipe?: (listener: () => void) => void;
};

/** https://no-color.org: any non-empty NO_COLOR switches colours off; FORCE_COLOR (not 0) on. */
export function wantsColor(stream: OutputStream, env: CommandIOOptions["env"]): boolean {
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

/** Under npx one Ctrl-C arrives twice, from the terminal and from npm: within so many milliseconds it is the same. */
const samePress = 200;

export function createCommandIO(options: CommandIOOptions): CommandIO {
  const { json, debug, stdout, stderr, env } = options;
  const words = json ? stderr : stdout;
  const controller = new AbortController();
  const color = wantsColor(words, env) && wantsColor(stderr, env);
  const now = options.now ?? (() => performance.now());
  let interruptible = false;
  let [signals, presses, lastPress] = [0, 0, -Infinity];
  return {
    json,
    debug,
    isTerminal: stderr.isTTY === true && env["TERM"] !== "dumb",
    signal: controller.signal,
    row: (row) => void stdout.write(`${JSON.stringify(row)}\n`),
    say: (text) => void words.write(`${text}\n`),
    write: (text) => void words.write(text),
    note: (text) => void stderr.write(`${text}\n`),
    writeNote: (text) => void stderr.write(text),
    paint: (code, text) => (color ? `\x1b[${code}m${text}\x1b[0m` : text),
    // Some pseudo-terminals say 0.
    width: () => stderr.columns || stdout.columns || 80,
    handleInterrupts(message) {
      if (interruptible) return;
      interruptible = true;
      options.onInterrupt?.(() => {
        signals++;
        if (signals === 1) {
          stderr.write(`\n${message}\n`);
          controller.abort();
        } else if (signals === 2) stderr.write("Still stopping; a third Ctrl-C ends at once, and loses what is not saved yet.\n");
        const isPress = now() - lastPress >= samePress;
        if (!isPress) return;
        lastPress = now();
        presses++;
        // Not 130: that promises that everything is saved.
        if (presses === 3) options.exit?.(exitCodes.userError);
      });
    },
    handleBrokenPipe(reaction) {
      options.onBrokenPipe?.(() => {
        if (reaction === "abort") controller.abort();
      });
    },
  };
}

/** Lines of aligned columns under a head; numbers to the right. Widths count code points. */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const length = (text: string): number => [...text].length;
  const cells = rows.map((row) => row.map(String));
  const widths = head.map((title, column) => Math.max(length(title), ...cells.map((row) => length(row[column] ?? ""))));
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const gap = " ".repeat(widths[column]! - length(cell));
        return numeric[column] ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof InterruptedError) return exitCodes.interrupted;
  if (error instanceof SparError) return exitCodes.userError;
  return exitCodes.bug;
}

/** Message and hint; the stack and the causes only with `debug`, except that a bug is told apart from a user's error. */
export function formatError(error: unknown, options: { debug: boolean; paint: (code: number, text: string) => string }): string {
  const lines: string[] = [];
  if (error instanceof InterruptedError) lines.push(error.message);
  else if (error instanceof SparError) lines.push(`${options.paint(31, "error:")} ${error.message}`);
  else {
    const message = error instanceof Error ? error.message : String(error);
    lines.push(`${options.paint(31, "internal error:")} ${message}`);
    if (!options.debug) lines.push("This is a bug in spar; the same command with --debug shows where.");
  }
  if (error instanceof SparError && error.hint !== undefined) lines.push(error.hint);
  if (options.debug) {
    if (error instanceof SparError) lines.push(`code: ${error.code}`);
    for (let current: unknown = error; current instanceof Error; current = current.cause) {
      lines.push(`${current === error ? "" : "caused by: "}${current.stack ?? current.message}`);
    }
  }
  return lines.join("\n");
}
