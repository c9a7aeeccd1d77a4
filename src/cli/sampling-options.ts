/** The sampling options that `generate` and `chat` share. Absent means: generation_config.json, then spar's defaults. */

import { addRepeatedOption, numberArgument, type Commandline } from "./arguments.ts";

export type SamplingArguments = {
  maxNewTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed: number;
  stop: string[];
};

export function addSamplingOptions(commandline: Commandline): void {
  commandline
    .option("--max-new-tokens <n>", "new tokens of a completion at most", numberArgument("--max-new-tokens", { integer: true, min: 1 }))
    .option("--temperature <t>", "sampling temperature; 0 takes the likeliest token", numberArgument("--temperature", { min: 0 }))
    .option("--top-k <k>", "sample among the k likeliest tokens; 0: all", numberArgument("--top-k", { integer: true, min: 0 }))
    .option("--top-p <p>", "sample among the likeliest tokens of this total probability", numberArgument("--top-p", { above: 0, max: 1 }))
    .option("--min-p <p>", "leave out tokens less likely than p times the likeliest", numberArgument("--min-p", { min: 0, max: 1 }))
    .option(
      "--repetition-penalty <r>",
      "divide the logits of tokens that are there already",
      numberArgument("--repetition-penalty", { above: 0 }),
    )
    .option("--seed <n>", "seed of the random numbers", numberArgument("--seed", { integer: true, min: 0, max: 4294967295 }), 0);
  addRepeatedOption(commandline, "--stop <text>", "end a completion at this text");
}
