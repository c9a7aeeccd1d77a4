/** `spar logprobs`: its options. */

import { UsageError } from "../../internal/errors.ts";
import { createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";

export type LogprobsArguments = {
  model: string;
  /** JSON lines; `-` is standard input. */
  file: string;
  batchSize: number;
};

const examples = [
  "spar logprobs --model gpt2 texts.jsonl --json",
  "spar logprobs --model runs/reward pairs.jsonl",
  `echo '{"prompt": "Two and two", "completion": " is four"}' | spar logprobs --model gpt2 -`,
];

const summary =
  "Log-probabilities of given texts: rows {text}, {prompt, completion}, {messages} or {input_ids[, labels]}; for a model with a score head, its scores.";

/** Undefined when help was asked for and shown. */
export async function parseLogprobsArguments(args: string[], io: CommandIO): Promise<LogprobsArguments | undefined> {
  const commandline = await createCommandline("logprobs", summary, examples, io);
  commandline
    .usage("--model MODEL FILE.jsonl [options]")
    .argument("<file>", "JSON lines; - reads standard input")
    .requiredOption("--model <model>", "a model: a folder or a hub id")
    .option("--batch-size <n>", "rows computed at the same time", numberArgument("--batch-size", { integer: true, min: 1 }), 8);
  if (!parseCommandline(commandline, args)) return undefined;
  return { ...commandline.opts<Omit<LogprobsArguments, "file">>(), file: commandline.args[0]! };
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseLogprobsArguments(args, io);
  if (options === undefined) return;
  throw new UsageError("logprobs: not part of this version");
}
