/** Tasks for people to label: several different answers of a model to each prompt. */

import type { Content } from "../data/index.ts";
import type { GenerationSettings, Generator } from "../generation/index.ts";
import { SparError, UsageError } from "../internal/errors.ts";
import type { CommandIO } from "./output.ts";

export interface TaskOptions {
  readonly prompts: readonly { readonly prompt: Content; readonly promptIds: number[] }[];
  /** Answers a prompt. */
  readonly count: number;
  readonly generator: Generator;
  readonly settings: GenerationSettings;
  readonly io: CommandIO;
}

/** A model that is sure of its answer says the same again and again: so many times it is asked for others. */
const rounds = 3;

/**
 * Prints a row a prompt, in their order: `{prompt, answer1, answer2}` of two, `{prompt, candidates}` of more. No answer is there twice,
 * and none is empty; a prompt to which there are not two is left out, and the number of those is told. After an interruption those
 * prompts are printed that have all their answers.
 */
export async function printTasks({ prompts, count, generator, settings, io }: TaskOptions): Promise<void> {
  if (settings.temperature === 0)
    throw new UsageError("generate: --candidates needs answers that differ, and at temperature 0 they are all the same", {
      hint: "Add --temperature 1.",
    });
  const answers = prompts.map(() => new Set<string>());
  for (let round = 0; round < rounds && !io.signal.aborted; round++) {
    const open = prompts.flatMap((_, index) => (answers[index].size < count ? [index] : []));
    if (open.length === 0) break;
    let done = 0;
    const completions = await generator.generate(
      open.map((index) => ({ promptIds: prompts[index].promptIds, candidates: count, promptIndex: index, firstCandidate: round * count })),
      settings,
      {
        signal: io.signal,
        onCompletion() {
          done++;
          if (io.isTerminal) io.writeNote(`\r${done} of ${open.length * count} answers${done === open.length * count ? "\n" : ""}`);
        },
      },
    );
    // In their order, not in that in which they were ready: that depends on the batch.
    for (const { request, text = "", finishReason } of completions) {
      const known = answers[open[request]];
      if (finishReason !== "aborted" && text.trim() !== "" && known.size < count) known.add(text);
    }
  }
  const least = io.signal.aborted ? count : 2;
  let printed = 0;
  for (const [index, { prompt }] of prompts.entries()) {
    const texts = [...answers[index]];
    if (texts.length < least) continue;
    printed++;
    io.row(count === 2 ? { prompt, answer1: texts[0], answer2: texts[1] } : { prompt, candidates: texts });
  }
  if (io.signal.aborted) return;
  if (printed === 0)
    throw new SparError("generate/no-candidates", `generate: to none of the ${prompts.length} prompts there are two different answers`, {
      hint: "Raise --temperature, or --max-new-tokens.",
    });
  const left = prompts.length - printed;
  if (left > 0) io.note(`${left} of ${prompts.length} prompts are left out: the model has only one answer to them`);
}
