/** `spar logprobs`: log-probabilities of given tokens, or scores. */

import type { Content, Message, Row as DataRow } from "../../data/index.ts";
import { InterruptedError } from "../../internal/errors.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import { readInputRows } from "../input-rows.ts";
import { openModel, resolveModelFolder } from "../open-model.ts";
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
    .requiredOption("--model <model>", "a model: a folder, a .gguf file or a hub id")
    .option("--batch-size <n>", "rows computed at the same time", numberArgument("--batch-size", { integer: true, min: 1 }), 8);
  if (!parseCommandline(commandline, args)) return undefined;
  return { ...commandline.opts<Omit<LogprobsArguments, "file">>(), file: commandline.args[0]! };
}

/** Ids, and which of them (1) the sums are over. */
type Row = { ids: number[]; mask: Uint8Array };

const expected = "rows of {text}, {prompt, completion}, {messages} or {input_ids[, labels]}";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseLogprobsArguments(args, io);
  if (options === undefined) return;
  const [{ createScorer }, { loadTokenizer }] = await Promise.all([
    import("../../generation/index.ts"),
    import("../../tokenizer/index.ts"),
  ]);
  const folder = await resolveModelFolder(options.model, io);
  const tokenizer = await loadTokenizer(folder);
  const opened = await openModel(folder);
  try {
    const { model, backend } = opened;
    const scorer = createScorer(model, backend, { maxRows: options.batchSize });
    const tokenise = await createRowTokeniser(tokenizer, io);
    const rows = await readInputRows("logprobs: reading rows", options.file, expected, ({ row }) => {
      const read = tokenise(row);
      scorer.check(read.ids);
      return read;
    });
    io.handleInterrupts("Stopping after this batch.");
    // A few batches at a time, so that rows come while others are computed.
    const size = 8 * options.batchSize;
    for (let start = 0; start < rows.length; start += size) {
      if (io.signal.aborted) throw new InterruptedError("logprobs: interrupted");
      const part = rows.slice(start, start + size);
      if (model.head === "score") {
        const scores = await scorer.scores(part.map(({ ids }) => ids));
        for (const [i, { ids }] of part.entries()) print(io, start + i, { input_ids: ids, score: scores[i] });
      } else {
        const scored = await scorer.logprobs(part);
        for (const [i, row] of part.entries()) print(io, start + i, summarise(row, scored[i].logprobs));
      }
    }
    scorer.release();
  } finally {
    opened.close();
  }
}

/** @param logprobs of all ids but the first */
export function summarise(
  { ids, mask }: Row,
  logprobs: Float32Array,
): { input_ids: number[]; logprobs: (number | null)[]; sum: number | null; mean: number | null; perplexity: number | null } {
  let [sum, count] = [0, 0];
  for (const [i, logprob] of logprobs.entries()) {
    if (mask[i + 1] === 0) continue;
    sum += logprob;
    count++;
  }
  const mean = count === 0 ? null : sum / count;
  return {
    input_ids: ids,
    logprobs: [null, ...logprobs],
    sum: count === 0 ? null : sum,
    mean,
    perplexity: mean === null ? null : Math.exp(-mean),
  };
}

function print(
  io: CommandIO,
  index: number,
  row: { input_ids: number[]; score?: number | undefined; sum?: number | null; mean?: number | null; perplexity?: number | null },
): void {
  if (io.json) return io.row(row);
  const show = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : value.toPrecision(6));
  const head = `${index + 1}: ${row.input_ids.length} tokens`;
  io.say(
    "score" in row
      ? `${head}, score ${show(row.score)}`
      : `${head}, sum ${show(row.sum)}, mean ${show(row.mean)}, perplexity ${show(row.perplexity)}`,
  );
}

/** Rows as they are, with no end token added: what is given is what is measured. */
async function createRowTokeniser(tokenizer: Tokenizer, io: CommandIO): Promise<(row: DataRow) => Row> {
  const { createTokeniseContext, detectFormat, tokenisePrompt } = await import("../../data/index.ts");
  const context = createTokeniseContext(tokenizer);
  let warned = false;
  const whole = (content: Content, chat: object | undefined): number[] =>
    typeof content === "string" ? tokenizer.encode(content) : tokenizer.encodeChat(content, { ...chat });
  const all = (ids: number[]): Row => ({ ids, mask: new Uint8Array(ids.length).fill(1) });
  return (row) => {
    const example = detectFormat(row, "text", { hasChatTemplate: tokenizer.hasChatTemplate }, "a row").convert(row);
    if (example.kind === "ids") return { ids: example.inputIds, mask: example.mask };
    if (example.kind === "text") return all(whole(example.text, undefined));
    if (example.kind === "messages") return all(whole(example.messages, example.chat));
    const { prompt, completion, chat } = example;
    const promptIds = tokenisePrompt({ kind: "prompt", prompt, ...(chat === undefined ? {} : { chat }) }, context);
    const read = all(
      whole(typeof prompt === "string" ? `${prompt}${completion as string}` : [...prompt, ...(completion as Message[])], chat),
    );
    let prefix = 0;
    while (prefix < promptIds.length && promptIds[prefix] === read.ids[prefix]) prefix++;
    if (prefix < promptIds.length && !warned) {
      warned = true;
      io.note(
        "note: a prompt alone ends in other tokens than with its completion; the completion is taken to start where the two part (said once)",
      );
    }
    read.mask.fill(0, 0, prefix);
    return read;
  };
}
