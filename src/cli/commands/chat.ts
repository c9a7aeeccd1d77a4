/** `spar chat`: its options. */

import { UsageError } from "../../internal/errors.ts";
import { createCommandline, parseCommandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";
import { addSamplingOptions, type SamplingArguments } from "../sampling-options.ts";

export type ChatArguments = SamplingArguments & {
  model: string;
  /** The system message at the start. */
  system?: string;
};

const examples = [
  "spar chat --model HuggingFaceTB/SmolLM2-135M-Instruct",
  'spar chat --model runs/sft --system "Answer in one sentence." --temperature 0.7',
  "in the chat:  /reset starts over, /system TEXT sets the system message, /save FILE writes the conversation, /exit leaves",
];

/** Undefined when help was asked for and shown. */
export async function parseChatArguments(args: string[], io: CommandIO): Promise<ChatArguments | undefined> {
  const commandline = await createCommandline("chat", "Talks with a model; a model without chat template continues what you write.", examples, io);
  commandline.requiredOption("--model <model>", "a model: a folder or a hub id").option("--system <text>", "the system message");
  addSamplingOptions(commandline);
  return parseCommandline(commandline, args) ? commandline.opts<ChatArguments>() : undefined;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseChatArguments(args, io);
  if (options === undefined) return;
  throw new UsageError("chat: not part of this version");
}
