/** `spar eval`: one model, or two on the same prompts. Models are loaded one after the other, so that the largest decides the memory. */
import { createHash } from "node:crypto";
import type { GenerationSettings } from "../generation/index.ts";
import { SparError } from "../internal/errors.ts";
import { measureDivergence } from "./divergence.ts";
import type { EvaluatedRow, EvaluationOptions, Written, WrittenRows } from "./evaluation-options.ts";
import type { EvaluationReport, SideReport } from "./evaluation-report.ts";
import { measureArithmetic, promptArithmetic } from "./gsm8k.ts";
import { mean } from "./interval.ts";
import { judgeAnswers, judgeBench } from "./judge-answers.ts";
import { conversationUntil, temperatureOf, type BenchQuestion } from "./mt-bench.ts";
import { computePerplexity } from "./perplexity.ts";
import { checkRewards, scoreAnswers } from "./score-answers.ts";
import { measureTexts } from "./text-statistics.ts";
import { listWritten } from "./written-rows.ts";
import { withWriter, type AskedPrompt, type Writer, type WriterSource, type WrittenAnswer } from "./writer.ts";

export interface EvaluationResult extends WrittenRows {
  readonly report: EvaluationReport;
  /** The rewards' sum of each answer, for the report's distributions; empty without rewards. */
  readonly rewards: readonly (readonly number[])[];
}

const shownSamples = 24;
const arithmeticTokens = 320;
const benchTokens = 1024;

/** Throws `evaluation/nothing` where nothing is asked for, `evaluation/no-chat-template`, and what models, rewards and judges throw. */
export async function evaluateModels(options: EvaluationOptions): Promise<EvaluationResult> {
  const { model, against, reference, prompts, judge, gsm8k, mtBench, texts, backend, batchSize, version } = options;
  if (prompts === undefined && gsm8k === undefined && mtBench === undefined && texts === undefined)
    throw new SparError("evaluation/nothing", "eval: expected prompts, GSM8K or MT-bench questions, or texts; got none of them");
  const begun = new Date();
  await checkRewards(options);
  const sources = [model, ...(against === undefined ? [] : [against])];
  const written: Written[] = [];
  for (const source of sources) written.push(await withWriter(source, backend, batchSize, (writer) => writeAll(source, writer, options)));
  const answers = listWritten(written, options);
  await options.onWritten?.(answers);
  const divergence =
    reference === undefined || prompts === undefined ? undefined : await measureDivergence(reference, written, prompts.rows, options);
  const rewards = await scoreAnswers(written, options);
  const opened = judge === undefined ? undefined : await judge.open(backend);
  try {
    const judged = opened === undefined ? {} : await judgeAnswers(opened, written, options);
    const bench = opened === undefined || mtBench === undefined ? {} : await judgeBench(opened, mtBench.questions, written, options);
    const sides = written.map((side, i): SideReport => ({
      model: side.source.name,
      ...describeAnswers(side),
      ...rewards.figures[i],
      ...(judged.grades?.[i] === undefined ? {} : { grade: judged.grades[i] }),
      ...divergence?.[i],
      ...(side.textPerplexity === undefined ? {} : { text_perplexity: side.textPerplexity.value, text_tokens: side.textPerplexity.tokens }),
      ...(gsm8k === undefined
        ? {}
        : {
            gsm8k: {
              ...measureArithmetic(
                gsm8k.questions,
                side.arithmetic.map(({ text }) => text),
              ),
              cut: side.arithmetic.filter(({ cut }) => cut).length,
            },
          }),
      ...(bench.scores?.[i] === undefined ? {} : { mt_bench: bench.scores[i] }),
    }));
    const rows = answers.rows.map((row, i): EvaluatedRow => ({
      ...row,
      ...(judged.verdicts === undefined ? {} : { verdict: judged.verdicts[i] }),
      ...(rewards.totals.length === 0 ? {} : { rewards: rewards.totals.map((totals) => totals[i]) }),
    }));
    const { temperature, topK, topP, maxNewTokens, seed } = written[0].settings;
    const report: EvaluationReport = {
      kind: "eval",
      schema_version: 1,
      ...judged.winRate,
      spar: version,
      started: begun.toISOString(),
      seconds: (Date.now() - begun.getTime()) / 1000,
      model: model.name,
      against: against?.name ?? null,
      reference: reference?.name ?? null,
      judge: judge?.name ?? null,
      reward_funcs: options.rewards ?? [],
      prompts:
        prompts === undefined
          ? null
          : { file: prompts.file, n: prompts.rows.length, sha256: hashPrompts(prompts.rows.map(({ prompt }) => prompt)) },
      settings: { temperature, top_k: topK, top_p: topP, max_new_tokens: maxNewTokens, seed },
      sides: { model: sides[0], ...(sides[1] === undefined ? {} : { against: sides[1] }) },
      ...(bench.turns === undefined ? {} : { mt_bench_turns: bench.turns }),
      ...(gsm8k === undefined ? {} : { gsm8k_file: gsm8k.file }),
      ...(mtBench === undefined ? {} : { mt_bench_file: mtBench.file }),
      ...(texts === undefined ? {} : { texts_file: texts.file }),
      samples: rows.slice(0, shownSamples),
    };
    return {
      report,
      rows,
      gsm8k: answers.gsm8k,
      mtBench: bench.of === undefined ? answers.mtBench : listWritten(written, options, bench.of).mtBench,
      rewards: rewards.totals.map((totals) => totals.filter((total) => total !== null)),
    };
  } finally {
    opened?.release?.();
  }
}

/** Of prompts in their order, as texts or messages. */
export function hashPrompts(prompts: readonly AskedPrompt[]): string {
  return createHash("sha256").update(JSON.stringify(prompts)).digest("hex");
}

async function writeAll(
  source: WriterSource,
  writer: Writer,
  { prompts, gsm8k, mtBench, texts, asked, signal, onProgress }: EvaluationOptions,
): Promise<Written> {
  const { tokenizer, settings } = writer;
  const watch = (stage: string) => ({
    signal,
    onProgress: (done: number, total: number) => onProgress?.(`${source.name}: ${stage}`, done, total),
  });
  const answers =
    prompts === undefined
      ? []
      : await writer.write(
          prompts.rows.map(({ prompt }) => prompt),
          {},
          watch("answers"),
        );
  let arithmetic: readonly WrittenAnswer[] = [];
  if (gsm8k !== undefined) {
    const asking = gsm8k.questions.map((question) => promptArithmetic(question, gsm8k.examples, tokenizer.hasChatTemplate));
    arithmetic = await writer.write(
      asking.map(({ prompt }) => prompt),
      { temperature: 0, maxNewTokens: arithmeticTokens, stopTexts: asking[0].stopTexts, ...asked },
      watch("GSM8K"),
    );
  }
  const bench = mtBench === undefined ? [] : await writeBench(source, writer, mtBench.questions, asked, watch);
  let textPerplexity: Written["textPerplexity"];
  if (texts !== undefined) {
    const rows = texts.texts.map((text) => ({ ids: tokenizer.encode(text), from: 1 })).filter(({ ids }) => ids.length > 1);
    const sums = await writer.logprobs(rows);
    const counted = rows.map(({ ids }, i) => ({ logprobSum: sums[i], tokens: ids.length - 1 }));
    textPerplexity = { value: computePerplexity(counted), tokens: counted.reduce((sum, { tokens }) => sum + tokens, 0) };
  }
  return { source, tokenizer, settings, answers, arithmetic, bench, textPerplexity };
}

/** Turn after turn, the questions of one temperature together. */
async function writeBench(
  { name }: WriterSource,
  writer: Writer,
  questions: readonly BenchQuestion[],
  asked: Partial<GenerationSettings>,
  watch: (stage: string) => { signal: AbortSignal | undefined; onProgress: (done: number, total: number) => void },
): Promise<string[][]> {
  if (!writer.tokenizer.hasChatTemplate)
    throw new SparError("evaluation/no-chat-template", `MT-bench: its questions are conversations, and ${name} has no chat template`, {
      hint: "Evaluate a chat or instruct model.",
    });
  const answers: string[][] = questions.map(() => []);
  for (let turn = 0; ; turn++) {
    const open = [...questions.keys()].filter((i) => turn < questions[i].turns.length);
    if (open.length === 0) return answers;
    // A long first answer may leave no room in the model's positions: nothing is said then, and judged so.
    const full = turn === 0 ? [] : open.filter((i) => !writer.fits(conversationUntil(questions[i], answers[i], turn)));
    for (const i of full) answers[i].push("");
    for (const temperature of new Set(open.map((i) => temperatureOf(questions[i])))) {
      const members = open.filter((i) => temperatureOf(questions[i]) === temperature && !full.includes(i));
      if (members.length === 0) continue;
      const texts = await writer.write(
        members.map((i) => conversationUntil(questions[i], answers[i], turn)),
        { temperature, maxNewTokens: benchTokens, ...asked },
        { ...watch(`MT-bench, turn ${turn + 1}`), indices: members.map((i) => i * 16 + turn) },
      );
      for (const [at, i] of members.entries()) answers[i].push(texts[at].text);
    }
  }
}

function describeAnswers({ answers }: Written): Partial<SideReport> {
  if (answers.length === 0) return {};
  const { meanWords, distinct1, distinct2, repetition, empty } = measureTexts(answers.map(({ text }) => text));
  return {
    answers: answers.length,
    mean_length: mean(answers.map(({ ids }) => ids.length)),
    mean_words: meanWords,
    distinct_1: distinct1,
    distinct_2: distinct2,
    repetition,
    empty,
    cut: mean(answers.map(({ cut }) => Number(cut))),
  };
}
