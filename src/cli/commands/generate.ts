/** `spar generate`: its options; rows out as the interface says. */

import { UsageError } from "../../internal/errors.ts";
import { addRepeatedOption, createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";
import { addSamplingOptions, type SamplingArguments } from "../sampling-options.ts";

export type GenerateArguments = SamplingArguments & {
  model: string;
  /** Texts of --prompt; empty where `prompts` is given. */
  prompt: string[];
  /** A JSONL file of `{prompt}` rows; `-` is standard input. */
  prompts?: string;
  /** Completions a prompt. */
  n: number;
  batchSize: number;
};

const examples = [
  'spar generate --model gpt2 --prompt "The film was" --max-new-tokens 40',
  "spar generate --model runs/ppo --prompts prompts.jsonl --temperature 0 --json > completions.jsonl",
  'spar generate --model HuggingFaceTB/SmolLM2-135M-Instruct --prompt "Hello" --n 4 --seed 7',
];

/** Undefined when help was asked for and shown. */
export async function parseGenerateArguments(args: string[], io: CommandIO): Promise<GenerateArguments | undefined> {
  const commandline = await createCommandline("generate", "Completes prompts with a language model.", examples, io);
  commandline.requiredOption("--model <model>", "a model: a folder or a hub id");
  addRepeatedOption(commandline, "--prompt <text>", "a prompt");
  commandline.option("--prompts <file>", "JSON lines of {prompt}, text or messages; - reads standard input");
  addSamplingOptions(commandline);
  commandline
    .option("--n <n>", "completions a prompt", numberArgument("--n", { integer: true, min: 1 }), 1)
    .option("--batch-size <n>", "rows computed at the same time", numberArgument("--batch-size", { integer: true, min: 1 }), 8);
  if (!parseCommandline(commandline, args)) return undefined;
  const options = commandline.opts<GenerateArguments>();
  if ((options.prompt.length > 0) === (options.prompts !== undefined)) {
    const found = options.prompts === undefined ? "neither" : "both";
    throw new UsageError(`generate: expected --prompt or --prompts, found ${found}`, { hint: "spar generate --help has examples." });
  }
  return options;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseGenerateArguments(args, io);
  if (options === undefined) return;
  throw new UsageError("generate: not part of this version");
}
