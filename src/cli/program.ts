/** What `spar` does with its arguments; main.ts gives it the process. */

import { describeError, InterruptedError, UsageError } from "../internal/errors.ts";
import { commands, plannedCommands, renderHelp } from "./commands.ts";
import { createCommandIO, exitCodeOf, exitCodes, formatError, type CommandIOOptions } from "./output.ts";

export type ProgramOptions = Omit<CommandIOOptions, "json" | "debug"> & { version: string };

/** Takes the flags that every command has out of the words; what follows `--` is left alone. */
export function splitGlobalFlags(words: readonly string[]): { rest: string[]; json: boolean; debug: boolean } {
  const end = words.indexOf("--");
  const before = end < 0 ? words : words.slice(0, end);
  const isGlobal = (word: string): boolean => word === "--json" || word === "--debug";
  return {
    rest: [...before.filter((word) => !isGlobal(word)), ...(end < 0 ? [] : words.slice(end))],
    json: before.includes("--json"),
    debug: before.includes("--debug"),
  };
}

async function rejectCommand(name: string): Promise<never> {
  if (plannedCommands.has(name)) {
    throw new UsageError(`${name}: not part of this version`, { hint: "spar --help lists the commands." });
  }
  const { findNearest } = await import("../recipes/index.ts");
  const nearest = findNearest(name, Object.keys(commands));
  const hint = nearest === undefined ? "spar --help lists the commands." : `Did you mean ${nearest}? spar --help lists the commands.`;
  throw new UsageError(`${name}: no such command`, { hint });
}

/** Runs one command; returns the exit code. Never throws. */
export async function runProgram(words: readonly string[], options: ProgramOptions): Promise<number> {
  const { rest, json, debug } = splitGlobalFlags(words);
  const io = createCommandIO({ ...options, json, debug });
  try {
    const [name, ...args] = rest;
    if (name === undefined || name === "--help" || name === "-h" || (name === "help" && args.length === 0)) {
      io.say(renderHelp(options.version));
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (name === "--version" || name === "-V") {
      io.say(options.version);
      return exitCodes.ok;
    }
    if (name === "help") return await runProgram([args[0]!, "--help"], options);
    if (name.startsWith("-")) throw new UsageError(`${name}: expected a command first`, { hint: "spar --help lists the commands." });
    if (!Object.hasOwn(commands, name)) return await rejectCommand(name);
    const command = await commands[name]!.load();
    await command.run(args, io);
    return exitCodes.ok;
  } catch (error) {
    if (json && !(error instanceof InterruptedError)) {
      // Not on standard output: whoever reads that reads results only.
      io.note(JSON.stringify({ time: new Date().toISOString(), ...describeError(error), level: "error" }));
    }
    io.note(formatError(error, { debug, paint: io.paint }));
    return exitCodeOf(error);
  }
}
