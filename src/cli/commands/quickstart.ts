/** `spar quickstart`: its options. */

import { UsageError } from "../../internal/errors.ts";
import { createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";

export type QuickstartArguments = {
  seed: number;
  /** Absent: runs/quickstart, or the next free runs/quickstart-N. */
  outputDir?: string;
};

const examples = ["spar quickstart", "spar quickstart --seed 3"];

/** Undefined when help was asked for and shown. */
export async function parseQuickstartArguments(args: string[], io: CommandIO): Promise<QuickstartArguments | undefined> {
  const summary =
    "The whole loop in a few minutes: the shipped tiny model, a reward model learnt from sentences that people labelled, PPO, and a report of before and after.";
  const commandline = await createCommandline("quickstart", summary, examples, io);
  commandline
    .option("--seed <n>", "seed of the random numbers", numberArgument("--seed", { integer: true, min: 0, max: 4294967295 }), 42)
    .option("--output-dir <folder>", "where to write (absent: runs/quickstart, or the next free runs/quickstart-N)");
  return parseCommandline(commandline, args) ? commandline.opts<QuickstartArguments>() : undefined;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseQuickstartArguments(args, io);
  if (options === undefined) return;
  throw new UsageError("quickstart: not part of this version");
}
