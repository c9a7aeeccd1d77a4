/** `spar chat`: a conversation in the terminal. */

import { writeFile } from "node:fs/promises";
import type { Interface } from "node:readline";
import type { GenerationSettings, Generator } from "../../generation/index.ts";
import { SparError } from "../../internal/errors.ts";
import { createCommandline, parseCommandline } from "../arguments.ts";
import { createConversation, type Conversation } from "../conversation.ts";
import { openModel, resolveModelFolder, resolveSampling } from "../open-model.ts";
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
  const commandline = await createCommandline(
    "chat",
    "Talks with a model; a model without chat template continues what you write.",
    examples,
    io,
  );
  commandline
    .requiredOption("--model <model>", "a model: a folder, a .gguf file or a hub id")
    .option("--system <text>", "the system message");
  addSamplingOptions(commandline);
  return parseCommandline(commandline, args) ? commandline.opts<ChatArguments>() : undefined;
}

const help =
  "/reset starts over, /system TEXT sets the system message, /save FILE writes the conversation, /exit leaves; Ctrl-C ends an answer";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseChatArguments(args, io);
  if (options === undefined) return;
  const [{ createGenerator }, { loadTokenizer }, { createInterface }] = await Promise.all([
    import("../../generation/index.ts"),
    import("../../tokenizer/index.ts"),
    import("node:readline"),
  ]);
  const folder = await resolveModelFolder(options.model, io);
  const tokenizer = await loadTokenizer(folder);
  const opened = await openModel(folder);
  let answering: AbortController | undefined;
  let lines: Interface | undefined;
  const interrupt = (): void => {
    if (answering === undefined) lines?.close();
    else answering.abort();
  };
  try {
    const settings = await resolveSampling(options, folder, opened.model.config.raw, tokenizer);
    const generator = createGenerator(opened.model, opened.backend, { tokenizer });
    const conversation = createConversation(tokenizer, options.system);
    io.note(tokenizer.hasChatTemplate ? help : `This model has no chat template: it continues what you write. ${help}`);
    const terminal = process.stdin.isTTY === true && io.isTerminal;
    // Made here and no earlier: lines that come before somebody waits for them would be lost.
    lines = createInterface({ input: process.stdin, ...(terminal ? { output: process.stderr } : {}), terminal, prompt: io.paint(1, "> ") });
    lines.on("SIGINT", interrupt);
    process.on("SIGINT", interrupt);
    const ask = (): void => {
      if (terminal) lines?.prompt();
    };
    ask();
    for await (const line of lines) {
      const command = await runChatCommand(line.trim(), conversation, io);
      if (command === "exit") break;
      if (command === "message") {
        answering = new AbortController();
        await answer(generator, conversation, line, settings, opened.model.config.maxPositions, io, answering.signal);
        answering = undefined;
      }
      ask();
    }
    generator.release();
  } finally {
    process.off("SIGINT", interrupt);
    lines?.close();
    opened.close();
  }
}

/** Streams the answer to `line`; where it cannot be given, the conversation stays as it was. */
async function answer(
  generator: Generator,
  conversation: Conversation,
  line: string,
  settings: GenerationSettings,
  positions: number,
  io: CommandIO,
  signal: AbortSignal,
): Promise<void> {
  const turn = conversation.turns();
  try {
    // Room for an answer, or a quarter of the positions where it may be longer than that.
    const most = positions - Math.min(settings.maxNewTokens, Math.floor(positions / 4));
    const { ids: promptIds, leftOut } = conversation.ask(line, most);
    if (leftOut > 0) {
      const turns = leftOut === 1 ? "the oldest turn was" : `the ${leftOut} oldest turns were`;
      io.note(`(${turns} left out: the model has ${positions} positions)`);
    }
    // Each turn draws numbers of its own.
    const request = { promptIds, promptIndex: turn };
    const [completion] = await generator.generate([request], settings, { signal, onText: (text) => io.write(text) });
    io.write("\n");
    conversation.answered(completion.text ?? "");
    if (io.json) io.row({ role: "assistant", content: completion.text });
    if (completion.finishReason === "length") io.note("(cut: --max-new-tokens or the model's positions are used up)");
  } catch (error) {
    conversation.takeBack();
    if (!(error instanceof SparError)) throw error;
    io.note(`${error.message}${error.code === "generation/prompt-too-long" ? "; /reset starts over" : ""}`);
  }
}

/** Returns what the line is: `handled` here, a `message` for the model, or `exit`. */
export async function runChatCommand(line: string, conversation: Conversation, io: CommandIO): Promise<"handled" | "message" | "exit"> {
  if (line === "") return "handled";
  if (!line.startsWith("/")) return "message";
  const [, name, rest] = /^(\/\S+)\s*(.*)$/s.exec(line) as unknown as [string, string, string];
  switch (name) {
    case "/exit":
    case "/quit":
      return "exit";
    case "/help":
      io.note(help);
      break;
    case "/reset":
      conversation.reset();
      io.note("The conversation is empty.");
      break;
    case "/system":
      io.note(conversation.setSystem(rest));
      break;
    case "/save":
      if (rest === "") io.note("/save needs the name of a file: /save chat.jsonl");
      else {
        try {
          await writeFile(rest, `${JSON.stringify(conversation.row())}\n`);
          io.note(`Written to ${rest}, as a row that can be trained on.`);
        } catch (error) {
          io.note(`${rest} cannot be written: ${(error as Error).message}`);
        }
      }
      break;
    default:
      io.note(`There is no ${name}: ${help}`);
  }
  return "handled";
}
