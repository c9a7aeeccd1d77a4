/** `spar generate`: completions of prompts, as text or as rows. */

import type { Content, Row } from "../../data/index.ts";
import type { Completion } from "../../generation/index.ts";
import { InterruptedError, UsageError } from "../../internal/errors.ts";
import { addRepeatedOption, createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import { convertRows, readInputRows } from "../input-rows.ts";
import { printTasks } from "../label-tasks.ts";
import { openModel, resolveModelFolder, resolveSampling } from "../open-model.ts";
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
  /** Different answers a prompt, as tasks for spar label. */
  candidates?: number;
  batchSize: number;
};

const examples = [
  'spar generate --model gpt2 --prompt "The film was" --max-new-tokens 40',
  "spar generate --model runs/ppo --prompts prompts.jsonl --temperature 0 --json > completions.jsonl",
  'spar generate --model HuggingFaceTB/SmolLM2-135M-Instruct --prompt "Hello" --n 4 --seed 7',
  "spar generate --model runs/sft --prompts prompts.jsonl --candidates 2 > tasks.jsonl",
];

/** Undefined when help was asked for and shown. */
export async function parseGenerateArguments(args: string[], io: CommandIO): Promise<GenerateArguments | undefined> {
  const commandline = await createCommandline("generate", "Completes prompts with a language model.", examples, io);
  commandline.requiredOption("--model <model>", "a model: a folder, a .gguf file or a hub id");
  addRepeatedOption(commandline, "--prompt <text>", "a prompt");
  commandline.option("--prompts <file>", "JSON lines of {prompt}, text or messages; - reads standard input");
  addSamplingOptions(commandline);
  commandline
    .option("--n <n>", "completions a prompt", numberArgument("--n", { integer: true, min: 1 }), 1)
    .option(
      "--candidates <n>",
      "write tasks for spar label: {prompt, answer1, answer2}, or {prompt, candidates} of more than two different answers",
      numberArgument("--candidates", { integer: true, min: 2, max: 26 }),
    )
    .option("--batch-size <n>", "rows computed at the same time", numberArgument("--batch-size", { integer: true, min: 1 }), 8);
  if (!parseCommandline(commandline, args)) return undefined;
  const options = commandline.opts<GenerateArguments>();
  if (options.prompt.length > 0 === (options.prompts !== undefined)) {
    const found = options.prompts === undefined ? "neither" : "both";
    throw new UsageError(`generate: expected --prompt or --prompts, found ${found}`, { hint: "spar generate --help has examples." });
  }
  if (options.candidates !== undefined && commandline.getOptionValueSource("n") === "cli")
    throw new UsageError("generate: --candidates says how many answers there are, and --n too; expected one of them");
  return options;
}

type Prompt = { prompt: Content; promptIds: number[] };

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseGenerateArguments(args, io);
  if (options === undefined) return;
  const [{ createGenerator }, { loadTokenizer }, { createTokeniseContext, detectFormat, tokenisePrompt }] = await Promise.all([
    import("../../generation/index.ts"),
    import("../../tokenizer/index.ts"),
    import("../../data/index.ts"),
  ]);
  const folder = await resolveModelFolder(options.model, io);
  const tokenizer = await loadTokenizer(folder);
  const opened = await openModel(folder);
  try {
    const { model, backend } = opened;
    const settings = await resolveSampling(options, folder, model.config.raw, tokenizer);
    const context = createTokeniseContext(tokenizer);
    const generator = createGenerator(model, backend, { maxBatch: options.batchSize, tokenizer });
    const read = (row: Row): Prompt => {
      const example = detectFormat(row, "prompt", { hasChatTemplate: tokenizer.hasChatTemplate }, "a prompt").convert(row);
      const promptIds = tokenisePrompt(example, context);
      generator.check(promptIds);
      return { prompt: example.prompt, promptIds };
    };
    const prompts =
      options.prompts === undefined
        ? convertRows(
            "generate: reading prompts",
            "a text that is not empty and leaves the model room to answer",
            options.prompt.map((prompt) => ({ place: "--prompt", convert: () => read({ prompt }) })),
          )
        : await readInputRows("generate: reading prompts", options.prompts, "rows of {prompt}, text or messages", ({ row }) => read(row));
    io.handleInterrupts("Stopping: what is finished is printed.");
    if (options.candidates !== undefined) {
      await printTasks({ prompts, count: options.candidates, generator, settings, io });
      generator.release();
      if (io.signal.aborted) throw new InterruptedError("generate: interrupted");
      return;
    }
    await printCompletions(io, prompts, options.n, async (onText, onCompletion) => {
      const requests = prompts.map(({ promptIds }) => ({ promptIds, candidates: options.n }));
      await generator.generate(requests, settings, { signal: io.signal, onText, onCompletion });
    });
    generator.release();
    if (io.signal.aborted) throw new InterruptedError("generate: interrupted");
  } finally {
    opened.close();
  }
}

type OnText = (text: string) => void;
type OnCompletion = (completion: Completion) => void;

/** Completions in the order of the prompts, each as soon as those before it are there; a single one as its text comes. */
async function printCompletions(
  io: CommandIO,
  prompts: readonly Prompt[],
  n: number,
  generate: (onText: OnText, onCompletion: OnCompletion) => Promise<void>,
): Promise<void> {
  const total = prompts.length * n;
  const waiting = new Map<number, Completion>();
  const streams = total === 1 && !io.json;
  let next = 0;
  const lead = (prompt: Content): string => (typeof prompt === "string" ? io.paint(2, prompt) : "");
  const print = (completion: Completion): void => {
    const { prompt, promptIds } = prompts[completion.request] as Prompt;
    if (io.json) {
      const { ids, logprobs, text, finishReason } = completion;
      io.row({ prompt, completion: text, prompt_ids: promptIds, completion_ids: ids, logprobs, finish_reason: finishReason });
    } else {
      io.say(io.paint(1, `── ${next} of ${total} (${completion.finishReason})`));
      io.say(`${lead(prompt)}${completion.text ?? ""}\n`);
    }
  };
  if (streams) io.write(lead((prompts[0] as Prompt).prompt));
  await generate(
    (text) => {
      if (streams) io.write(text);
    },
    (completion) => {
      if (streams || completion.finishReason === "aborted") return;
      waiting.set(completion.request * n + completion.candidate, completion);
      for (let ready = waiting.get(next); ready !== undefined; ready = waiting.get(next)) {
        waiting.delete(next++);
        print(ready);
      }
      if (io.isTerminal && io.json) io.writeNote(`\r${next + waiting.size} of ${total}${next === total ? "\n" : ""}`);
    },
  );
  if (streams) io.say("");
  // After an interruption the finished ones have gaps between them.
  for (const completion of [...waiting.values()].sort((a, b) => a.request - b.request || a.candidate - b.candidate)) print(completion);
}
