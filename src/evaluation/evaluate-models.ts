/** `spar eval`: one model, or two on the same prompts. Models are loaded one after the other, so that the largest decides the memory. */
import { createHash } from "node:crypto";
import type { GenerationSettings } from "../generation/index.ts";
import { SparError } from "../internal/errors.ts";
import { createRewards, type Judge, type RewardSet } from "../rewards/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { EvaluationReport, MeanFigure, SideReport } from "./evaluation-report.ts";
import { extractAnswer, isRight, measureArithmetic, promptArithmetic, type ArithmeticQuestion } from "./gsm8k.ts";
import { bootstrapInterval, mean } from "./interval.ts";
import { conversationUntil, countBenchTurns, summariseBench, temperatureOf, transcribe, type BenchQuestion } from "./mt-bench.ts";
import { computePerplexity } from "./perplexity.ts";
import { measureTexts } from "./text-statistics.ts";
import { measureWinRate } from "./win-rate.ts";
import { withWriter, type AskedPrompt, type Writer, type WriterSource, type WrittenAnswer } from "./writer.ts";

export interface EvaluatedPrompt {
  readonly prompt: AskedPrompt;
  /** Further columns of the row, for rules and judges that read them. */
  readonly columns: { readonly [name: string]: unknown };
}

export interface EvaluationOptions {
  readonly model: WriterSource;
  readonly against?: WriterSource | undefined;
  readonly reference?: WriterSource | undefined;
  readonly prompts?: { readonly file: string; readonly rows: readonly EvaluatedPrompt[] } | undefined;
  /** Its name, and how it is opened once the models are done. */
  readonly judge?: { readonly name: string; readonly open: (backend: Backend) => Promise<Judge> } | undefined;
  readonly rewards?: readonly string[];
  readonly gsm8k?:
    | { readonly file: string; readonly questions: readonly ArithmeticQuestion[]; readonly examples: readonly ArithmeticQuestion[] }
    | undefined;
  readonly mtBench?: { readonly file: string; readonly questions: readonly BenchQuestion[] } | undefined;
  readonly texts?: { readonly file: string; readonly texts: readonly string[] } | undefined;
  /** What the user set for the benchmarks too, over their own settings. */
  readonly asked: Partial<GenerationSettings>;
  readonly batchSize: number;
  readonly backend: Backend;
  readonly resolveModel?: (name: string) => Promise<string>;
  /** What relative paths of reward modules start from. */
  readonly folder: string;
  readonly version: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
}

/** All answers of `--prompts`, for samples.jsonl. */
export interface EvaluatedRow {
  readonly prompt: AskedPrompt;
  readonly model: string;
  readonly against?: string;
  readonly verdict?: "win" | "tie" | "lose" | null;
  readonly rewards?: readonly (number | null)[];
}

export interface EvaluationResult {
  readonly report: EvaluationReport;
  readonly rows: readonly EvaluatedRow[];
  /** Of GSM8K: what was extracted from each answer, and whether it is right. */
  readonly gsm8k: readonly ArithmeticRow[];
  readonly mtBench: readonly BenchRow[];
  /** The rewards' sum of each answer, for the report's distributions; empty without rewards. */
  readonly rewards: readonly (readonly number[])[];
}

interface ArithmeticRow {
  readonly model: string;
  readonly question: string;
  readonly answer: number;
  readonly completion: string;
  readonly extracted: number | null;
  readonly right: boolean;
}

interface BenchRow {
  readonly model: string;
  readonly question_id: string;
  readonly category: string;
  readonly turns: readonly { readonly user: string; readonly assistant: string }[];
}

/** What one side wrote. */
interface Written {
  readonly source: WriterSource;
  readonly tokenizer: Tokenizer;
  readonly settings: GenerationSettings;
  readonly answers: readonly WrittenAnswer[];
  readonly arithmetic: readonly WrittenAnswer[];
  /** Of each question, its turns' answers. */
  readonly bench: readonly (readonly string[])[];
  readonly textPerplexity: { readonly value: number; readonly tokens: number } | undefined;
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
  const sources = [model, ...(against === undefined ? [] : [against])];
  const written: Written[] = [];
  for (const source of sources) written.push(await withWriter(source, backend, batchSize, (writer) => writeAll(source, writer, options)));
  const divergence =
    reference === undefined || prompts === undefined ? undefined : await measureDivergence(reference, written, prompts.rows, options);
  const rewards = await scoreAll(written, options);
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
    const rows = (prompts?.rows ?? []).map(({ prompt }, i): EvaluatedRow => ({
      prompt,
      model: written[0].answers[i].text,
      ...(against === undefined ? {} : { against: written[1].answers[i].text }),
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
      gsm8k: written.flatMap(({ source, arithmetic }) =>
        arithmetic.map(({ text }, i): ArithmeticRow => {
          const { question, answer } = gsm8k!.questions[i];
          return {
            model: source.name,
            question,
            answer,
            completion: text,
            extracted: extractAnswer(text) ?? null,
            right: isRight(text, gsm8k!.questions[i]),
          };
        }),
      ),
      mtBench: written.flatMap(({ source, bench: answers }) =>
        answers.map((texts, i): BenchRow => {
          const { id, category, turns } = mtBench!.questions[i];
          return { model: source.name, question_id: id, category, turns: turns.map((user, turn) => ({ user, assistant: texts[turn] })) };
        }),
      ),
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

/** KL(model ‖ reference) from the samples themselves, and the answers' perplexity under the reference. */
async function measureDivergence(
  reference: WriterSource,
  written: readonly Written[],
  prompts: readonly EvaluatedPrompt[],
  { backend, batchSize, onProgress }: EvaluationOptions,
): Promise<Partial<SideReport>[]> {
  return withWriter(reference, backend, batchSize, async (writer) => {
    const reports: Partial<SideReport>[] = [];
    for (const [i, { source, answers, tokenizer, settings }] of written.entries()) {
      onProgress?.(`${reference.name}: reads the answers of ${source.name}`, i, written.length);
      const same = sameVocabulary(tokenizer, writer.tokenizer);
      const rows = answers.map(({ promptIds, ids, text }, row) =>
        same ? { ids: [...promptIds, ...ids], from: promptIds.length } : encodeAnew(writer.tokenizer, prompts[row].prompt, text),
      );
      const sums = await writer.logprobs(rows);
      const { temperature, topK, topP, minP, repetitionPenalty } = settings;
      const isPlain = temperature === 1 && topK === 0 && topP === 1 && minP === 0 && repetitionPenalty === 1;
      const ratios = same && isPlain ? answers.map(({ logprob }, row) => logprob - sums[row]) : undefined;
      reports.push({
        perplexity: computePerplexity(rows.map(({ ids, from }, row) => ({ logprobSum: sums[row], tokens: ids.length - from }))),
        kl: ratios === undefined ? null : mean(ratios),
        kl_interval: ratios === undefined ? null : bootstrapInterval(ratios, mean),
      });
    }
    return reports;
  });
}

function sameVocabulary(a: Tokenizer, b: Tokenizer): boolean {
  if (a.vocabSize !== b.vocabSize) return false;
  for (let id = 0; id < a.vocabSize; id++) if (a.idToToken(id) !== b.idToToken(id)) return false;
  return true;
}

/** As the reference's own tokenizer reads prompt and answer. */
function encodeAnew(tokenizer: Tokenizer, prompt: AskedPrompt, text: string): { ids: number[]; from: number } {
  if (typeof prompt === "string") {
    const [alone, whole] = [tokenizer.encode(prompt), tokenizer.encode(prompt + text)];
    let from = 0;
    while (from < alone.length && alone[from] === whole[from]) from++;
    return { ids: whole, from: Math.max(1, from) };
  }
  const before = tokenizer.encodeChat(prompt, { addGenerationPrompt: true });
  return { ids: [...before, ...tokenizer.encode(text, { addSpecialTokens: false })], from: before.length };
}

interface Scored {
  readonly figures: readonly Partial<SideReport>[];
  /** By side and prompt: the sum of the rewards; null where none applies. */
  readonly totals: readonly (readonly (number | null)[])[];
}

async function scoreAll(written: readonly Written[], options: EvaluationOptions): Promise<Scored> {
  const { rewards: specs = [], prompts, backend, batchSize, folder, resolveModel, signal, onProgress } = options;
  if (specs.length === 0 || prompts === undefined) return { figures: [], totals: [] };
  const figures: Partial<SideReport>[] = [];
  const totals: (number | null)[][] = [];
  let held: { readonly set: RewardSet; readonly tokenizer: Tokenizer } | undefined;
  try {
    for (const [i, { source, answers, tokenizer }] of written.entries()) {
      onProgress?.(`rewards of ${source.name}`, i, written.length);
      // A reward model of the same vocabulary scores the ids; another tokenises the texts anew.
      if (held !== undefined && !sameVocabulary(held.tokenizer, tokenizer)) {
        held.set.release();
        held = undefined;
      }
      held ??= {
        set: await createRewards(specs, { folder, backend, tokenizer, batchSize, ...(resolveModel && { resolveModel }) }),
        tokenizer,
      };
      const rows = answers.map(({ promptIds, ids, text }, row) => ({
        ...prompts.rows[row].columns,
        prompt: prompts.rows[row].prompt,
        completion: text,
        prompt_ids: promptIds,
        completion_ids: ids,
      }));
      const { total, byReward } = await held.set.score(rows, { signal });
      const sums = Array.from(total, (value) => (Number.isNaN(value) ? null : value));
      const whole = averageOf(sums);
      totals.push(sums);
      figures.push({
        ...(whole === undefined ? {} : { mean_reward: whole.mean, reward_interval: whole.interval }),
        rewards: Object.fromEntries(
          [...byReward].flatMap(([name, scores]) => {
            const figure = averageOf(scores);
            return figure === undefined ? [] : [[name, figure]];
          }),
        ),
      });
    }
  } finally {
    held?.set.release();
  }
  return { figures, totals };
}

/** Undefined where nothing has a number. */
function averageOf(values: readonly (number | null)[]): MeanFigure | undefined {
  const given = values.filter((value) => value !== null);
  if (given.length === 0) return undefined;
  return { mean: mean(given), interval: bootstrapInterval(given, mean), voids: values.length - given.length };
}

interface Judged {
  readonly winRate?: ReturnType<typeof measureWinRate>;
  readonly verdicts?: readonly ("win" | "tie" | "lose" | null)[];
  /** A side each. */
  readonly grades?: readonly (MeanFigure | undefined)[];
}

async function judgeAnswers(
  judge: Judge,
  written: readonly Written[],
  { prompts, signal, onProgress }: EvaluationOptions,
): Promise<Judged> {
  if (prompts === undefined) return {};
  const asked = { signal, onProgress: (done: number, total: number) => onProgress?.("judge", done, total) };
  const [model, against] = written;
  if (against === undefined) {
    const grades = await judge.grade(
      prompts.rows.map(({ prompt, columns }, i) => ({ prompt, answer: model.answers[i].text, columns })),
      asked,
    );
    return { grades: [averageOf(grades.map(({ score }) => score))] };
  }
  const comparisons = await judge.compare(
    prompts.rows.map(({ prompt, columns }, i) => ({ prompt, a: model.answers[i].text, b: against.answers[i].text, columns })),
    asked,
  );
  const lengthOf = (side: Written, i: number): number => [...side.answers[i].text].length;
  const graded = comparisons.some(({ grades }) => grades !== undefined);
  return {
    winRate: measureWinRate(
      comparisons.map((comparison, i) => ({ comparison, lengthA: lengthOf(model, i), lengthB: lengthOf(against, i) })),
    ),
    verdicts: comparisons.map(({ verdict }) => (verdict === null ? null : verdict === "a" ? "win" : verdict === "b" ? "lose" : "tie")),
    ...(graded ? { grades: [0, 1].map((side) => averageOf(comparisons.map(({ grades }) => grades?.[side] ?? null))) } : {}),
  };
}

interface JudgedBench {
  readonly scores?: readonly SideReport["mt_bench"][];
  readonly turns?: EvaluationReport["mt_bench_turns"];
}

/** Grades where the judge grades; comparisons where there are two models. */
async function judgeBench(
  judge: Judge,
  questions: readonly BenchQuestion[],
  written: readonly Written[],
  { signal, onProgress }: EvaluationOptions,
): Promise<JudgedBench> {
  const places = questions.flatMap(({ turns }, question) => turns.map((_, turn) => ({ question, turn })));
  const regroup = <T>(flat: readonly T[]): T[][] =>
    questions.map((_, question) => flat.filter((_item, i) => places[i].question === question));
  const asked = { signal, onProgress: (done: number, total: number) => onProgress?.("judge: MT-bench", done, total) };
  const answerOf = (side: Written, { question, turn }: (typeof places)[number]): string => side.bench[question][turn];
  let result: JudgedBench = {};
  if (judge.kind === "grades") {
    const scores: SideReport["mt_bench"][] = [];
    for (const side of written) {
      const requests = places.map((place) => ({
        prompt: conversationUntil(questions[place.question], side.bench[place.question], place.turn),
        answer: answerOf(side, place),
      }));
      scores.push(summariseBench(questions, regroup(await judge.grade(requests, asked))));
    }
    result = { scores };
  } else if (written.length === 2) {
    const [model, against] = written;
    const requests = places.map((place) => ({
      prompt: conversationUntil(questions[place.question], [], 0),
      a: transcribe(questions[place.question], model.bench[place.question], place.turn),
      b: transcribe(questions[place.question], against.bench[place.question], place.turn),
    }));
    result = { turns: countBenchTurns(regroup(await judge.compare(requests, asked))) };
  } else {
    throw new SparError("judge/cannot-grade", `MT-bench: ${judge.name} only compares; expected a second model (--against), got one`, {
      hint: "Use a judge that grades, or give --against.",
    });
  }
  return result;
}
