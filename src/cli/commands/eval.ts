/** `spar eval`: measures a model, sets two against each other, or compares what was measured before. */

import { mkdirSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EvaluatedPrompt, EvaluationOptions, EvaluationResult, WriterSource, WrittenRows } from "../../evaluation/index.ts";
import { InterruptedError, SparError, UsageError } from "../../internal/errors.ts";
import type { Judge } from "../../rewards/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { addRepeatedOption, createCommandline, numberArgument, parseCommandline, type Commandline } from "../arguments.ts";
import { findFreeFolder } from "../free-folder.ts";
import { readInputRows } from "../input-rows.ts";
import { resolveModelFolder, resolveSampling } from "../open-model.ts";
import { formatTable, type CommandIO } from "../output.ts";
import { addSamplingOptions, type SamplingArguments } from "../sampling-options.ts";
import { readVersion } from "../version.ts";
import { compareRuns } from "./eval-compare.ts";
import { noteUsage, openJudge } from "./judge.ts";

export type EvalArguments = SamplingArguments & {
  model?: string;
  against?: string;
  reference?: string;
  /** A JSONL file of `{prompt}` rows; `-` is standard input. */
  prompts?: string;
  judge?: string;
  reward: string[];
  gsm8k?: string;
  shots: number;
  mtBench?: string;
  texts?: string;
  /** Only so many rows of each file. */
  limit?: number;
  batchSize: number;
  outputDir?: string;
  compare?: string[];
  pairwise?: boolean;
  rubric?: string;
  judgeMode?: "sample" | "expected";
  judgements?: number;
  tieWithin?: number;
  judgeTemperature?: number;
  judgeTopP?: number;
  judgeMaxNewTokens?: number;
  judgeSeed?: number;
  concurrency?: number;
  timeout?: number;
  retries?: number;
  priceIn?: number;
  priceOut?: number;
  apiKeyEnv: string;
  cache?: string | false;
};

const examples = [
  "spar eval --model runs/dpo --against runs/sft --prompts prompts.jsonl --judge openai:http://localhost:8000/v1#qwen3",
  "spar eval --model runs/ppo --against runs/sft --reference runs/sft --prompts prompts.jsonl --reward rule:sentiment",
  "spar eval --model HuggingFaceTB/SmolLM2-135M-Instruct --gsm8k test.jsonl --limit 100",
  "spar eval --model runs/sft --mt-bench question.jsonl --judge model:HuggingFaceTB/SmolLM2-1.7B-Instruct",
  "spar eval --compare runs/quickstart runs/quickstart-2",
  "",
  "What is measured follows from what is given:",
  "  --prompts     length, diversity and repetition of the answers; with a judge grades, or with --against the win rate",
  "  --reward      the mean reward of the answers to --prompts, by a model, rule:NAME, ./file.mjs or a service",
  "  --reference   KL from that model, and the answers' perplexity under it (for KL: temperature 1, no top-k, top-p or min-p)",
  "  --gsm8k       accuracy on rows {question, answer}, answers ending with #### N; greedy unless a flag says otherwise",
  "  --mt-bench    grades turn by turn of rows {question_id, category, turns}; temperatures by category, as FastChat's",
  "  --texts       perplexity of the model on rows {text} or {prompt, completion}",
  "",
  "Judges are those of spar judge --help. Believe a win rate as far as the judge agrees with people: spar judge --agree.",
];

const summary =
  "Measures a model, alone or against another one on the same prompts, with a report; or compares earlier results (--compare).";

/** Undefined when help was asked for and shown. */
export async function parseEvalArguments(args: string[], io: CommandIO): Promise<EvalArguments | undefined> {
  const commandline = await createCommandline("eval", summary, examples, io);
  commandline
    .usage("--model MODEL [--against MODEL] --prompts FILE.jsonl [--judge JUDGE] [options] | --compare RUN…")
    .option("--model <model>", "the model: a folder, a .gguf file or a hub id")
    .option("--against <model>", "another model, which answers the same prompts")
    .option("--prompts <file>", "JSON lines of {prompt}, text or messages; - reads standard input")
    .option("--judge <judge>", "model:…, openai:…, reward:…, rule:… or human:…: grades the answers, or with --against compares them");
  addRepeatedOption(commandline, "--reward <reward>", "mean reward by a reward model, rule:NAME, ./file.mjs or http(s)://…");
  commandline
    .option("--reference <model>", "KL from this model, and perplexity under it")
    .option("--gsm8k <file>", "accuracy on these questions")
    .option(
      "--shots <n>",
      "the first n rows of --gsm8k are shown solved, and not asked",
      numberArgument("--shots", { integer: true, min: 0 }),
      0,
    )
    .option("--mt-bench <file>", "questions of several turns, each judged by --judge")
    .option("--texts <file>", "perplexity of these texts")
    .option("--limit <n>", "only the first n rows of each file", numberArgument("--limit", { integer: true, min: 1 }))
    .option("--output-dir <folder>", "where the report is written (absent: runs/eval, or the next free runs/eval-N)")
    .option(
      "--compare <run...>",
      "compare earlier results: folders of spar eval, of quickstarts or of training runs, or report.json files",
    );
  addSamplingOptions(commandline);
  commandline.option("--batch-size <n>", "rows computed at the same time", numberArgument("--batch-size", { integer: true, min: 1 }), 16);
  addJudgeOptions(commandline);
  if (!parseCommandline(commandline, args)) return undefined;
  const options = commandline.opts<EvalArguments>();
  checkArguments(options);
  return options;
}

function addJudgeOptions(commandline: Commandline): void {
  commandline
    .option("--pairwise", "judge model, openai: show both answers at once instead of grading each")
    .option("--rubric <file>", "judge model, openai: what is asked, as in recipes/rubrics")
    .addOption(
      commandline
        .createOption("--judge-mode <mode>", "judge model: sample lets it write; expected takes the mean score under its probabilities")
        .choices(["sample", "expected"]),
    )
    .option("--judgements <k>", "judgements averaged", numberArgument("--judgements", { integer: true, min: 1 }))
    .option("--tie-within <x>", "grades at most this far apart are a tie", numberArgument("--tie-within", { min: 0 }))
    .option("--judge-temperature <t>", "of what the judge writes (default: 0.7)", numberArgument("--judge-temperature", { min: 0 }))
    .option("--judge-top-p <p>", "of what the judge writes (default: 0.9)", numberArgument("--judge-top-p", { above: 0, max: 1 }))
    .option(
      "--judge-max-new-tokens <n>",
      "of a judgement (default: 512)",
      numberArgument("--judge-max-new-tokens", { integer: true, min: 1 }),
    )
    .option("--judge-seed <n>", "of the judgements (default: 0)", numberArgument("--judge-seed", { integer: true, min: 0 }))
    .option("--concurrency <n>", "judge openai: requests at a time", numberArgument("--concurrency", { integer: true, min: 1 }))
    .option("--timeout <seconds>", "judge openai: for one request (default: 120)", numberArgument("--timeout", { above: 0 }))
    .option(
      "--retries <n>",
      "judge openai: further attempts after the first (default: 5)",
      numberArgument("--retries", { integer: true, min: 0 }),
    )
    .option("--price-in <x>", "judge openai: price of a million tokens read, to show the cost", numberArgument("--price-in", { min: 0 }))
    .option("--price-out <x>", "judge openai: price of a million tokens written", numberArgument("--price-out", { min: 0 }))
    .option("--api-key-env <name>", "judge openai: the environment variable that holds the key", "OPENAI_API_KEY")
    .option("--cache <folder>", "judge openai: where its answers are kept")
    .option("--no-cache", "judge openai: keep no answers, and use none");
}

function checkArguments(options: EvalArguments): void {
  const { compare, model, against, prompts, judge, reward, reference, gsm8k, shots, mtBench, texts, pairwise } = options;
  const fail = (message: string): never => {
    throw new UsageError(`eval: ${message}`, { hint: "spar eval --help has examples." });
  };
  if (compare !== undefined) {
    if (model !== undefined) fail("--compare reads earlier results; expected no --model beside it");
    return;
  }
  if (model === undefined) fail("expected --model, or --compare with earlier results; found neither");
  if ((prompts ?? gsm8k ?? mtBench ?? texts) === undefined) fail("expected at least one of --prompts, --gsm8k, --mt-bench and --texts");
  if (prompts === undefined && (reward.length > 0 || reference !== undefined))
    fail("--reward and --reference need --prompts, whose answers they measure");
  if (judge !== undefined && prompts === undefined && mtBench === undefined) fail("--judge needs --prompts or --mt-bench");
  if (mtBench !== undefined && judge === undefined) fail("--mt-bench needs --judge");
  if (against !== undefined && prompts !== undefined && judge === undefined && reward.length === 0)
    fail("--against with --prompts needs --judge or --reward, which tell the answers apart");
  if (pairwise === true && against === undefined) fail("--pairwise needs --against: there are no two answers to compare");
  if (shots > 0 && gsm8k === undefined) fail("--shots needs --gsm8k");
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseEvalArguments(args, io);
  if (options === undefined) return;
  if (options.compare !== undefined) {
    const folder = options.outputDir ?? findFreeFolder("compare");
    return compareRuns(options.compare, () => claimFolder(folder), io);
  }
  const [{ evaluateModels }, { createCpuBackend }] = await Promise.all([
    import("../../evaluation/index.ts"),
    import("../../runtime/index.ts"),
  ]);
  // What is wrong with names and rows is said before anything is computed.
  let judge = await prepareJudge(options, io);
  const outputDir = options.outputDir ?? findFreeFolder("eval");
  const sources = await openSources(options, io);
  const work = await readWork(options, sources);
  claimFolder(outputDir);
  io.handleInterrupts("Stopping.");
  io.handleBrokenPipe("go-on");
  const progress = await openProgress(io);
  const backend = createCpuBackend();
  let kept: string | undefined;
  try {
    const result = await evaluateModels({
      ...sources,
      ...work,
      judge:
        options.judge === undefined
          ? undefined
          : { name: options.judge, open: async (shared) => (judge ??= await openEvalJudge(options, shared, io)) },
      rewards: options.reward,
      onWritten: async (answers) => void (kept = await writeAnswers(outputDir, answers)),
      asked: askedSettings(options),
      batchSize: options.batchSize,
      backend,
      resolveModel: (name) => resolveModelFolder(name, io),
      folder: process.cwd(),
      version: readVersion(),
      signal: io.signal,
      onProgress: (stage, done, total) => progress.progress({ stage, done, total }),
    });
    await progress.close("finished");
    if (judge !== undefined) noteUsage(judge, io);
    await writeReports(outputDir, result);
    await showResult(result, outputDir, io);
  } catch (error) {
    await progress.close("failed");
    if (io.signal.aborted && !(error instanceof SparError))
      throw new InterruptedError(`eval: interrupted; ${kept === undefined ? "nothing is written" : `the answers are in ${kept}`}`, {
        cause: error,
      });
    if (kept !== undefined) io.note(`the answers were written before it failed: ${kept}`);
    throw error;
  } finally {
    backend.close();
  }
}

type Sources = Required<Pick<EvaluationOptions, "model">> & Pick<EvaluationOptions, "against" | "reference">;

async function openSources(options: EvalArguments, io: CommandIO): Promise<Sources> {
  const open = async (name: string): Promise<WriterSource> => ({
    name,
    folder: await resolveModelFolder(name, io),
    settingsOf: ({ folder, raw }, tokenizer) => resolveSampling(options, folder, raw, tokenizer),
  });
  const { model, against, reference } = options;
  return {
    model: await open(model as string),
    against: against === undefined ? undefined : await open(against),
    reference: reference === undefined ? undefined : await open(reference),
  };
}

type Work = Pick<EvaluationOptions, "prompts" | "gsm8k" | "mtBench" | "texts">;

async function readWork(options: EvalArguments, { model, against }: Sources): Promise<Work> {
  const [{ parseArithmeticQuestion, parseBenchQuestion }, { detectFormat }, { loadTokenizer }] = await Promise.all([
    import("../../evaluation/index.ts"),
    import("../../data/index.ts"),
    import("../../tokenizer/index.ts"),
  ]);
  const tokenizers = await Promise.all([model, ...(against === undefined ? [] : [against])].map(({ folder }) => loadTokenizer(folder)));
  const hasChatTemplate = tokenizers.every((tokenizer) => tokenizer.hasChatTemplate);
  const first = <T>(rows: T[]): T[] => rows.slice(0, options.limit);
  const { prompts, gsm8k, mtBench, texts, shots } = options;
  const work: { -readonly [K in keyof Work]: Work[K] } = {};
  if (prompts !== undefined) {
    const rows = await readInputRows("eval: reading prompts", prompts, "rows of {prompt}, text or messages", ({ row }): EvaluatedPrompt => {
      const { prompt } = detectFormat(row, "prompt", { hasChatTemplate }, "a prompt").convert(row);
      if (typeof prompt !== "string" && !hasChatTemplate)
        throw new SparError("data/bad-row", "the prompt is a conversation, and a model has no chat template: expected a text");
      const { prompt: _, ...columns } = row;
      return { prompt, columns };
    });
    work.prompts = { file: prompts, rows: first(rows) };
  }
  if (gsm8k !== undefined) {
    const questions = await readInputRows(
      "eval: reading GSM8K",
      gsm8k,
      "rows of {question, answer}, the answer ending with #### N",
      ({ row }) => parseArithmeticQuestion(row),
    );
    const asked = first(questions.slice(shots));
    if (asked.length === 0)
      throw new SparError("data/empty", `eval: ${gsm8k} has ${questions.length} rows, all of them taken by --shots ${shots}`);
    work.gsm8k = { file: gsm8k, questions: asked, examples: questions.slice(0, shots) };
  }
  if (mtBench !== undefined) {
    const questions = await readInputRows(
      "eval: reading MT-bench",
      mtBench,
      "rows of {question_id, category, turns: [text, …]}",
      ({ row }) => parseBenchQuestion(row),
    );
    work.mtBench = { file: mtBench, questions: first(questions) };
  }
  if (texts !== undefined) {
    const rows = await readInputRows("eval: reading texts", texts, "rows of {text}, or of {prompt, completion} as texts", ({ row }) => {
      const example = detectFormat(row, "text", { hasChatTemplate: false }, "a text").convert(row);
      if (example.kind === "text") return example.text;
      if (example.kind === "prompt-completion" && typeof example.prompt === "string")
        return `${example.prompt}${String(example.completion)}`;
      throw new SparError("data/bad-row", "expected a text, found a conversation or ids");
    });
    work.texts = { file: texts, texts: first(rows) };
  }
  return work;
}

/** Sampling flags that were given: they rule the benchmarks too. */
function askedSettings({ maxNewTokens, temperature, topK, topP, minP, repetitionPenalty }: EvalArguments): EvaluationOptions["asked"] {
  const given = { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/**
 * A judge without a model here is opened before the answers are written; one with a model only found, since it is loaded once the others
 * have left the memory.
 */
async function prepareJudge(options: EvalArguments, io: CommandIO): Promise<Judge | undefined> {
  if (options.judge === undefined) return undefined;
  const { loadRubric, parseJudgeSpec } = await import("../../rewards/index.ts");
  const spec = parseJudgeSpec(options.judge);
  const isHere = spec.kind === "model" || spec.kind === "reward";
  const judge = isHere ? undefined : await openEvalJudge(options, undefined, io);
  if (isHere) await resolveModelFolder(spec.value, io);
  const rubric = isHere && options.rubric !== undefined ? await loadRubric(options.rubric) : undefined;
  if (options.against === undefined && (judge?.kind === "comparisons" || rubric?.kind === "compare")) {
    judge?.release?.();
    throw new SparError("judge/cannot-grade", `eval: ${options.judge} only compares; expected a second model (--against), got one`, {
      hint: "Use a judge that grades, or give --against.",
    });
  }
  return judge;
}

function openEvalJudge(options: EvalArguments, backend: Backend | undefined, io: CommandIO): Promise<Judge> {
  const { judge, pairwise, rubric, judgeMode, judgements, tieWithin, apiKeyEnv, cache } = options;
  const { concurrency, timeout, retries, priceIn, priceOut } = options;
  const { judgeTemperature: temperature, judgeTopP: topP, judgeMaxNewTokens: maxNewTokens, judgeSeed: seed } = options;
  const sampling = { temperature, topP, maxNewTokens, seed };
  const endpoint = { concurrency, timeout, retries, priceIn, priceOut, cache };
  const given = { pairwise, rubric, mode: judgeMode, judgements, tieWithin, ...sampling, ...endpoint };
  const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return openJudge({ ...asked, judge: judge as string, apiKeyEnv }, backend, io);
}

function claimFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length === 0) return folder;
  } catch (cause) {
    throw new SparError("run/folder-not-writable", `eval: cannot make ${folder} (${(cause as Error).message})`, { cause });
  }
  throw new SparError("run/folder-not-empty", `eval: ${folder} is not empty: expected a new or empty folder`, {
    hint: "Choose another --output-dir.",
  });
}

async function openProgress(io: CommandIO) {
  const { createConsoleTracker } = await import("../../tracking/index.ts");
  return createConsoleTracker({ write: io.writeNote, isTerminal: io.isTerminal, width: io.width, color: io.paint(1, "") !== "" });
}

/** Gives the files; undefined where there are no answers. */
async function writeAnswers(folder: string, { rows, gsm8k, mtBench }: WrittenRows): Promise<string | undefined> {
  const files: string[] = [];
  for (const [name, list] of Object.entries({ "samples.jsonl": rows, "gsm8k.jsonl": gsm8k, "mt-bench.jsonl": mtBench })) {
    if (list.length === 0) continue;
    files.push(join(folder, name));
    await writeFile(join(folder, name), list.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }
  return files.length === 0 ? undefined : files.join(", ");
}

async function writeReports(folder: string, result: EvaluationResult): Promise<void> {
  const { report, rewards } = result;
  const { renderEvaluationMarkdown, renderEvaluationPage } = await import("../../evaluation/index.ts");
  // Once more, now with verdicts, rewards and grades.
  await writeAnswers(folder, result);
  await writeFile(join(folder, "report.md"), renderEvaluationMarkdown(report));
  await writeFile(join(folder, "report.html"), renderEvaluationPage(report, rewards));
  await writeFile(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
}

async function showResult({ report }: EvaluationResult, folder: string, io: CommandIO): Promise<void> {
  const { concludeEvaluation, listEvaluation, shortenName } = await import("../../evaluation/index.ts");
  const { samples: _, ...row } = report;
  if (io.json) io.row(row);
  const { headline, reason } = concludeEvaluation(report);
  const head = ["", shortenName(report.model), ...(report.against === null ? [] : [shortenName(report.against)])];
  const figures = listEvaluation(report).map(({ name, model, against }) => [name, model, ...(against === undefined ? [] : [against])]);
  io.say(`\n${formatTable(head, figures)}`);
  io.say(`\n${io.paint(1, headline)}\n${reason}`);
  io.say(`\nreport: ${io.paint(36, join(folder, "report.html"))} (and .md, .json beside it, with all answers as JSON lines)`);
}
