/** `spar judge`: grades answers, compares them, or measures a judge against people. */

import { homedir } from "node:os";
import { join } from "node:path";
import type { LabelRow } from "../../data/index.ts";
import type { AgreementReport } from "../../evaluation/index.ts";
import { InterruptedError, SparError, UsageError } from "../../internal/errors.ts";
import type { CompareRequest, CreateJudgeOptions, GradeRequest, Judge, JudgeOptions } from "../../rewards/index.ts";
import { createCommandline, numberArgument, parseCommandline, type Commandline } from "../arguments.ts";
import { readInputRows } from "../input-rows.ts";
import { resolveModelFolder } from "../open-model.ts";
import { formatTable, type CommandIO } from "../output.ts";

export type JudgeArguments = {
  judge: string;
  /** Rows to grade or to compare; `-` is standard input. */
  file?: string;
  /** Rows with labels of people. */
  agree?: string;
  report?: string;
  pairwise?: boolean;
  rubric?: string;
  mode?: "sample" | "expected";
  judgements?: number;
  tieWithin?: number;
  temperature?: number;
  topP?: number;
  maxNewTokens?: number;
  seed?: number;
  batchSize?: number;
  concurrency?: number;
  timeout?: number;
  retries?: number;
  apiKeyEnv: string;
  /** False: `--no-cache`. */
  cache?: string | false;
  priceIn?: number;
  priceOut?: number;
};

const examples = [
  "spar judge --judge rule:length --agree labels.jsonl",
  "spar judge --judge model:HuggingFaceTB/SmolLM2-135M-Instruct --mode expected --agree labels.jsonl --report judge.html",
  "spar judge --judge openai:http://localhost:8000/v1#qwen3 --pairwise pairs.jsonl --json > verdicts.jsonl",
  "spar judge --judge reward:runs/reward answers.jsonl",
  "",
  "The judge is one of",
  "  model:FOLDER-OR-ID   a language model here, which follows a rubric: each answer gets 0 to 5 points",
  "  openai:URL#MODEL     the same behind an OpenAI-compatible address (vLLM, llama.cpp, Ollama, spar serve, a vendor)",
  "  reward:FOLDER        a reward model",
  "  rule:NAME            a rule of spar doctor --rules; rule:length: the answer with more characters",
  "  human:labels.jsonl   people: what they said before",
  "",
  "FILE holds JSON lines. {prompt, completion} is graded; {prompt, a, b} and {prompt, chosen, rejected} are compared, always in both",
  'orders: a win counts only if it does not change with the order. --agree reads {prompt, a, b, labels: ["a", "tie", …]}, a label an',
  "annotator, or {prompt, chosen, rejected}, and says how far the judge can be believed. Try a judge so before you train on it.",
];

const summary = "Grades answers, compares them, or measures how far a judge agrees with people (--agree).";

/** Undefined when help was asked for and shown. */
export async function parseJudgeArguments(args: string[], io: CommandIO): Promise<JudgeArguments | undefined> {
  const commandline = await createCommandline("judge", summary, examples, io);
  commandline
    .usage("--judge JUDGE (FILE.jsonl | --agree LABELS.jsonl) [options]")
    .argument("[file]", "JSON lines to judge; - reads standard input")
    .requiredOption("--judge <judge>", "model:…, openai:…, reward:…, rule:… or human:… (below)")
    .option("--agree <file>", "measure the judge against the labels in this file")
    .option("--report <file>", "with --agree: a page with the calibration plot (.html), or the plot alone (.svg)");
  addRubricOptions(commandline);
  addEndpointOptions(commandline);
  if (!parseCommandline(commandline, args)) return undefined;
  const [file] = commandline.args;
  const options: JudgeArguments = { ...commandline.opts<JudgeArguments>(), ...(file === undefined ? {} : { file }) };
  if ((options.file === undefined) === (options.agree === undefined)) {
    const found = options.file === undefined ? "neither" : "both";
    throw new UsageError(`judge: expected a file to judge or --agree LABELS.jsonl, found ${found}`, {
      hint: "spar judge --help has examples.",
    });
  }
  if (options.report !== undefined && options.agree === undefined) throw new UsageError("judge: --report needs --agree");
  return options;
}

function addRubricOptions(commandline: Commandline): void {
  const number = (flag: string, bounds?: Parameters<typeof numberArgument>[1]) => numberArgument(flag, bounds);
  commandline
    .option("--pairwise", "model, openai: show both answers at once instead of grading each")
    .option("--rubric <file>", "model, openai: the text that is asked, a Markdown file as in recipes/rubrics (default: additive-v1)")
    .addOption(
      commandline
        .createOption("--mode <mode>", "model: sample lets it write; expected takes the mean score under its probabilities, in one pass")
        .choices(["sample", "expected"]),
    )
    .option("--judgements <k>", "judgements averaged (default: 3, pairwise 1)", number("--judgements", { integer: true, min: 1 }))
    .option("--tie-within <x>", "grades at most this far apart are a tie (default: 0)", number("--tie-within", { min: 0 }))
    .option("--temperature <t>", "of what the judge writes (default: 0.7)", number("--temperature", { min: 0 }))
    .option("--top-p <p>", "of what the judge writes (default: 0.9)", number("--top-p", { above: 0, max: 1 }))
    .option("--max-new-tokens <n>", "of a judgement (default: 512)", number("--max-new-tokens", { integer: true, min: 1 }))
    .option("--seed <n>", "of the judgements (default: 0)", number("--seed", { integer: true, min: 0 }))
    .option("--batch-size <n>", "model, reward: rows computed at the same time", number("--batch-size", { integer: true, min: 1 }));
}

function addEndpointOptions(commandline: Commandline): void {
  commandline
    .option("--concurrency <n>", "openai: requests at a time (default: 8)", numberArgument("--concurrency", { integer: true, min: 1 }))
    .option("--timeout <seconds>", "openai: for one request (default: 120)", numberArgument("--timeout", { above: 0 }))
    .option(
      "--retries <n>",
      "openai: further attempts after the first (default: 5)",
      numberArgument("--retries", { integer: true, min: 0 }),
    )
    .option("--api-key-env <name>", "openai: the environment variable that holds the key", "OPENAI_API_KEY")
    .option("--cache <folder>", "openai: where answers are kept (default: spar/judgements in the user's cache folder)")
    .option("--no-cache", "openai: keep no answers, and use none")
    .option("--price-in <x>", "openai: price of a million tokens read, to show the cost", numberArgument("--price-in", { min: 0 }))
    .option("--price-out <x>", "openai: price of a million tokens written", numberArgument("--price-out", { min: 0 }));
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseJudgeArguments(args, io);
  if (options === undefined) return;
  const { parseJudgeSpec } = await import("../../rewards/index.ts");
  const { kind } = parseJudgeSpec(options.judge);
  // What is wrong with the rows is said before a model is loaded.
  const work = options.agree === undefined ? await prepareJudging(options, io) : await prepareAgreement(options, options.agree, io);
  const backend = kind === "model" || kind === "reward" ? (await import("../../runtime/index.ts")).createCpuBackend() : undefined;
  let judge: Judge | undefined;
  try {
    judge = await openJudge(options, backend, io);
    io.handleInterrupts("Stopping.");
    await work(judge, showProgress(io));
    noteUsage(judge, io);
  } catch (error) {
    if (io.signal.aborted && !(error instanceof SparError)) throw new InterruptedError("judge: interrupted", { cause: error });
    throw error;
  } finally {
    judge?.release?.();
    backend?.close();
  }
}

export async function openJudge(options: JudgeArguments, backend: CreateJudgeOptions["backend"], io: CommandIO): Promise<Judge> {
  const { createJudge, loadRubric } = await import("../../rewards/index.ts");
  const { temperature, topP, maxNewTokens, seed, priceIn = 0, priceOut = 0 } = options;
  const sampling = Object.fromEntries(Object.entries({ temperature, topP, maxNewTokens, seed }).filter(([, value]) => value !== undefined));
  const { pairwise, mode, judgements, tieWithin, batchSize, concurrency, timeout, retries } = options;
  return createJudge(options.judge, {
    pairwise,
    mode,
    judgements,
    tieWithin,
    batchSize,
    concurrency,
    timeout,
    retries,
    sampling,
    backend,
    rubric: options.rubric === undefined ? undefined : await loadRubric(options.rubric),
    resolveModel: (name) => resolveModelFolder(name, io),
    apiKey: process.env[options.apiKeyEnv],
    cacheFolder: options.cache === false ? undefined : (options.cache ?? defaultCache()),
    prices: options.priceIn === undefined && options.priceOut === undefined ? undefined : { prompt: priceIn, completion: priceOut },
  });
}

function defaultCache(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "spar", "judgements");
}

type Work = (judge: Judge, options: JudgeOptions) => Promise<void>;

async function prepareAgreement(options: JudgeArguments, path: string, io: CommandIO): Promise<Work> {
  const [{ comparisonColumns, parseLabelledComparison, readHumanLabels }, { isLabelRow, parseLabelRow }, evaluation] = await Promise.all([
    import("../../rewards/index.ts"),
    import("../../data/index.ts"),
    import("../../evaluation/index.ts"),
  ]);
  const labels: LabelRow[] = [];
  const given = await readInputRows("judge: reading labels", path, `rows of ${comparisonColumns}, or labels of spar label`, ({ row }) => {
    if (!isLabelRow(row)) return [parseLabelledComparison(row)];
    labels.push(parseLabelRow(row));
    return [];
  });
  // Later labels may revise earlier ones, and those of several people belong together.
  const rows = [...given.flat(), ...readHumanLabels(labels).comparisons];
  if (rows.length === 0) throw new SparError("data/empty", `judge: none of the ${labels.length} labels in ${path} compares two answers`);
  return async (judge, asked) => {
    const comparisons = await judge.compare(rows, asked);
    const judged = rows.map(({ labels, hasSides }, i) => ({ labels, hasSides, comparison: comparisons[i] }));
    const report: AgreementReport = {
      judge: options.judge,
      labels: path,
      agreement: evaluation.measureAgreement(judged),
      decided: evaluation.measureDecided(judged),
      summary: evaluation.summariseComparisons(comparisons),
      calibration: evaluation.measureCalibration(judged),
    };
    if (options.report !== undefined) await writeReport(options.report, report, io);
    if (io.json) return io.row(report.agreement);
    io.say(`${io.paint(1, options.judge)} against the labels in ${path}\n`);
    io.say(formatTable(["", "", ""], evaluation.listAgreement(report)).split("\n").slice(2).join("\n"));
    io.say(`\n${evaluation.concludeAgreement(report)}`);
  };
}

async function writeReport(path: string, report: AgreementReport, io: CommandIO): Promise<void> {
  const [{ writeFile }, { renderAgreementReport, renderCalibration }] = await Promise.all([
    import("node:fs/promises"),
    import("../../evaluation/index.ts"),
  ]);
  const isPlot = path.toLowerCase().endsWith(".svg");
  if (isPlot && report.calibration === null)
    throw new SparError("judge/no-calibration", `judge: ${path} would be empty: the judge gives verdicts only, or never leaned to a side`);
  try {
    await writeFile(path, isPlot && report.calibration !== null ? renderCalibration(report.calibration) : renderAgreementReport(report));
  } catch (cause) {
    throw new SparError("judge/report-not-writable", `judge: ${path} cannot be written (${(cause as Error).message})`, { cause });
  }
  io.note(`wrote ${path}`);
}

async function prepareJudging({ file = "-" }: JudgeArguments, io: CommandIO): Promise<Work> {
  const { holdsComparison, parseAnswer, parseComparison } = await import("../../rewards/index.ts");
  const expected = "rows of {prompt, completion}, or of {prompt, a, b} or {prompt, chosen, rejected}, and not both kinds";
  let compares: boolean | undefined;
  const rows = await readInputRows("judge: reading rows", file, expected, ({ row }) => {
    compares ??= holdsComparison(row);
    return compares ? parseComparison(row) : parseAnswer(row);
  });
  if (compares === true) return (judge, options) => printComparisons(judge, rows as CompareRequest[], options, io);
  return (judge, options) => printGrades(judge, rows as GradeRequest[], options, io);
}

async function printGrades(judge: Judge, rows: readonly GradeRequest[], options: JudgeOptions, io: CommandIO): Promise<void> {
  const { summariseGrades } = await import("../../evaluation/index.ts");
  const grades = await judge.grade(rows, options);
  for (const [i, { prompt, answer }] of rows.entries()) {
    const { score } = grades[i];
    if (io.json) io.row({ prompt, completion: answer, ...grades[i] });
    else
      io.say(
        `${String(i + 1).padStart(4)}  ${(score === null ? "void" : score.toFixed(2)).padStart(8)}  ${shorten(answer, io.width() - 18)}`,
      );
  }
  const { n, voids, mean, deviation, self_agreement, retries } = summariseGrades(grades);
  const spread = deviation === null ? "" : ` ± ${deviation.toFixed(2)}`;
  const agreement = self_agreement === null ? "" : `, ${(100 * self_agreement).toFixed(0)} % of its judgements of one answer are equal`;
  io.note(`${n} answers, mean ${mean === null ? "–" : mean.toFixed(2)}${spread}, ${voids} void, ${retries} asked twice${agreement}`);
}

async function printComparisons(judge: Judge, rows: readonly CompareRequest[], options: JudgeOptions, io: CommandIO): Promise<void> {
  const { summariseComparisons } = await import("../../evaluation/index.ts");
  const comparisons = await judge.compare(rows, options);
  for (const [i, { prompt, a, b }] of rows.entries()) {
    const { verdict, orders } = comparisons[i];
    if (io.json) io.row({ prompt, a, b, ...comparisons[i] });
    else {
      const shown = verdict ?? "void";
      const remark = orders[0] === orders[1] ? "" : `  (${orders.map((order) => order ?? "nothing").join(" and ")})`;
      io.say(`${String(i + 1).padStart(4)}  ${shown.padEnd(4)}  ${shorten(verdict === "b" ? b : a, io.width() - 30)}${remark}`);
    }
  }
  const { n, a, b, ties, voids, self_agreement, position_bias, retries } = summariseComparisons(comparisons);
  const bias = position_bias === null ? "" : `, position bias ${position_bias.toFixed(2)}`;
  const agreement = self_agreement === null ? "" : `, both orders agree in ${(100 * self_agreement).toFixed(0)} %`;
  io.note(`${n} comparisons: ${a} a, ${b} b, ${ties} ties, ${voids} void, ${retries} asked twice${agreement}${bias}`);
}

function shorten(text: string, length: number): string {
  const line = [...text.replaceAll(/\s+/g, " ").trim()];
  return line.length <= length ? line.join("") : `${line.slice(0, Math.max(1, length - 1)).join("")}…`;
}

function showProgress(io: CommandIO): JudgeOptions {
  let shown = -1;
  return {
    signal: io.signal,
    onProgress(done, total) {
      if (!io.isTerminal || done === shown) return;
      shown = done;
      io.writeNote(done === total ? "\r\x1b[K" : `\rjudged ${done} of ${total}\x1b[K`);
    },
  };
}

export function noteUsage(judge: Judge, io: CommandIO): void {
  const used = judge.usage?.();
  if (used === undefined) return;
  const cost = used.cost === null ? "" : `, cost ${used.cost.toFixed(4)}`;
  const { requests, repeated, cached, promptTokens, completionTokens } = used;
  io.note(
    `${requests} requests (${repeated} repeated), ${cached} answers from the cache, ${promptTokens} tokens read, ${completionTokens} written${cost}`,
  );
}
