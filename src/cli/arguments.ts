/** Arguments of the commands that have fixed options: commander, with spar's errors and streams. */

import type { Command as Commander } from "commander";
import { UsageError } from "../internal/errors.ts";
import type { CommandIO } from "./output.ts";

export type Commandline = Commander;

/** A commander command that never ends the process; `examples` close its help. */
export async function createCommandline(name: string, summary: string, examples: readonly string[], io: CommandIO): Promise<Commandline> {
  const { Command } = await import("commander");
  return new Command(name)
    .usage("[options]")
    .configureHelp({ commandUsage: (command) => `spar ${command.name()} ${command.usage()}` })
    .description(summary)
    .helpOption("-h, --help", "this text")
    .addHelpText(
      "after",
      `\nexamples:\n${examples.map((example) => `  ${example}`).join("\n")}\n\n--json puts JSON lines on standard output, --debug shows the stack of errors.`,
    )
    .configureOutput({ writeOut: (text) => io.say(text.trimEnd()), writeErr: () => {}, getOutHelpWidth: io.width })
    .exitOverride();
}

/**
 * Parses `args` (without the command's name); options take `-` or `_`. False when help was asked for and shown.
 * @throws UsageError
 */
export function parseCommandline(commandline: Commandline, args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const words = args.map((word, index) => {
    if (!word.startsWith("--") || (end >= 0 && index >= end)) return word;
    const equals = word.indexOf("=");
    return equals < 0 ? word.replaceAll("_", "-") : word.slice(0, equals).replaceAll("_", "-") + word.slice(equals);
  });
  try {
    commandline.parse(words, { from: "user" });
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !("exitCode" in error)) throw error;
    if (error.code === "commander.helpDisplayed" || error.code === "commander.help") return false;
    const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
    throw new UsageError(`${commandline.name()}: ${message}`, {
      hint: `spar ${commandline.name()} --help lists the options.`,
      cause: error,
    });
  }
}

type Bounds = { integer?: boolean; min?: number; above?: number; max?: number };

/** A number for commander's option parser; says what it expects. */
export function numberArgument(option: string, bounds: Bounds = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const noun = bounds.integer === true ? "a whole number" : "a number";
    const limits = [
      ...(bounds.min === undefined ? [] : [`at least ${bounds.min}`]),
      ...(bounds.above === undefined ? [] : [`above ${bounds.above}`]),
      ...(bounds.max === undefined ? [] : [`at most ${bounds.max}`]),
    ];
    const bad =
      text.trim() === "" ||
      Number.isNaN(value) ||
      (bounds.integer === true && !Number.isInteger(value)) ||
      (bounds.min !== undefined && value < bounds.min) ||
      (bounds.above !== undefined && value <= bounds.above) ||
      (bounds.max !== undefined && value > bounds.max);
    if (bad) {
      const expected = limits.length === 0 ? noun : `${noun} (${limits.join(", ")})`;
      throw new UsageError(`${option}: expected ${expected}, found ${JSON.stringify(text)}`);
    }
    return value;
  };
}

/** Adds an option that may be given several times; its value is a list, empty where it is absent. `parse` may throw UsageError. */
export function addRepeatedOption(
  commandline: Commandline,
  flags: string,
  description: string,
  parse: (text: string) => string = (text) => text,
): void {
  const option = commandline.createOption(flags, `${description}; may be repeated`);
  commandline.addOption(option.default([], "none").argParser((text: string, earlier: readonly string[]) => [...earlier, parse(text)]));
}

/** Adds `--allow-host`, whose values are names as a Host header has them before the port. */
export function addAllowHostOption(commandline: Commandline, description: string): void {
  addRepeatedOption(commandline, "--allow-host <name>", description, (text) => {
    if (/^(\[[0-9a-f:.]+\]|[^\s:/@?#[\]\\]+)$/i.test(text)) return text;
    throw new UsageError(
      `--allow-host: expected a host name without http:// and port, such as host.example, found ${JSON.stringify(text)}`,
    );
  });
}
