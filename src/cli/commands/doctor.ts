/** `spar doctor`: its options. */

import { UsageError } from "../../internal/errors.ts";
import { createCommandline, parseCommandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";

export type DoctorArguments = {
  /** Check this recipe, without training. */
  config?: string;
  /** The method of the recipe, where its keys do not tell. */
  method?: string;
  /** List the rewards that are shipped as rules. */
  rules: boolean;
};

const examples = ["spar doctor", "spar doctor --config ppo.yaml --method ppo", "spar doctor --rules"];

/** Undefined when help was asked for and shown. */
export async function parseDoctorArguments(args: string[], io: CommandIO): Promise<DoctorArguments | undefined> {
  const summary = "Tests the engine on this machine and says what it can do; with --config, what would go wrong in a training before it is run.";
  const commandline = await createCommandline("doctor", summary, examples, io);
  commandline
    .option("--config <file>", "check this recipe")
    .option("--method <method>", "the recipe's method, where its keys do not tell")
    .option("--rules", "list the rewards that are shipped as rules", false);
  if (!parseCommandline(commandline, args)) return undefined;
  const options = commandline.opts<DoctorArguments>();
  if (options.method !== undefined && options.config === undefined) throw new UsageError("doctor: --method needs --config");
  return options;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseDoctorArguments(args, io);
  if (options === undefined) return;
  throw new UsageError("doctor: not part of this version");
}
