/**
 * SPIN, self-play fine-tuning (Chen et al. 2024, arXiv 2401.01335): a model learns to tell people's answers from its own, until it cannot.
 *
 *   L = mean of −log σ(β·[log π(y)/ρ(y) − log π(y′)/ρ(y′)]),  y a person's answer, y′ a sample of the opponent ρ
 *
 * The opponent of iteration t is the model of iteration t − 1 (of 0 the fine-tuned model given): it writes y′, training starts from it, and it
 * is the reference; so the loss begins at ln 2. From the second iteration on the pairs of the one before are trained on too.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTokeniseContext, tokenisePair, type Content, type TokenizedPair } from "../data/index.ts";
import { intervalOfShare } from "../evaluation/index.ts";
import { createScorer } from "../generation/index.ts";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import { pickDPOKeys, type SPINConfig, type TrainingContext, type TrainingOutcome } from "../trainers/configs.ts";
import { trainingSpecs } from "../trainers/index.ts";
import { isEmptyAnswer } from "./choose-pairs.ts";
import { openPolicy, sampleAnswers, toCompletion, type AnswerSettings } from "./policy.ts";
import { loadAnsweredRows, type AnsweredRow } from "./read-examples.ts";
import { gainShapes } from "./row-shapes.ts";
import { produceRows, readRows, readSummary, writeRows } from "./rows-file.ts";
import {
  createClock,
  keepFittingPrompts,
  leaveModel,
  listLocalFiles,
  readPositions,
  reportEmptyAnswers,
  withSelfPlayRun,
  type Clock,
  type SelfPlayRun,
} from "./self-play-run.ts";
import { checkEnough, reportRepeats } from "./split-prompts.ts";
import { createTrainingStage, readTrainingSteps } from "./train-stage.ts";

interface SPINPair {
  readonly prompt: Content;
  /** A person's answer. */
  readonly chosen: Content;
  /** The opponent's. */
  readonly rejected: Content;
}

/** How well a model tells people's answers from its opponent's, on examples that were not trained on. */
interface Gain {
  readonly examples: number;
  /** Mean of −log σ(β·margin): ln 2 where nothing is told apart. */
  readonly loss: number;
  /** ln 2 − loss. */
  readonly gain: number;
  /** Mean of log π/ρ of the person's answer less that of the opponent's, in nats. */
  readonly margin: number;
  /** Share with a positive margin, and its 95 % interval. */
  readonly accuracy: number;
  readonly interval: readonly [low: number, high: number];
}

export async function trainSPIN(config: SPINConfig, context: TrainingContext): Promise<TrainingOutcome> {
  return withSelfPlayRun(config, context, async (run) => {
    await splitExamples(config, run);
    let opponent = run.base;
    let steps = 0;
    let metrics: { [name: string]: number } = {};
    for (let t = 0; t < config.num_iterations; t++) {
      const folder = join(run.root, `iteration-${t}`);
      const clock = createClock();
      const beta = betaOf(config, t);
      await generate(config, run, { t, folder, opponent, clock });
      const training = createTrainingStage({
        name: "training",
        folder,
        output: "model",
        method: "dpo",
        model: opponent,
        data: [...(t === 0 ? [] : [join(run.root, `iteration-${t - 1}`, "pairs.jsonl")]), join(folder, "pairs.jsonl")],
        keys: { ...pickDPOKeys(config), beta, learning_rate: t >= config.late_from ? config.late_learning_rate : config.learning_rate },
        root: run.root,
        context,
        backend: run.backend,
      });
      await run.stage(training, clock, "training");
      steps += await readTrainingSteps(folder, "model");
      const model = join(folder, "model");
      const gain = await measureGain(config, run, { t, folder, model, opponent, beta, clock });
      metrics = report(run, t, gain, clock);
      opponent = model;
      // The share is one of few examples: what chance could do too is not yet proof of being told apart.
      if (gain.interval[0] <= config.stop_accuracy) {
        const message = `iteration ${t}: people's answers are told from the opponent's on ${percent(gain.accuracy)} of ${gain.examples} examples set apart (95 % interval ${percent(gain.interval[0])}–${percent(gain.interval[1])}): no more than stop_accuracy ${config.stop_accuracy}; the run ends`;
        if (t + 1 < config.num_iterations) context.tracker.event({ code: "self-play/stopped", message, iteration: t });
        break;
      }
    }
    await leaveModel(opponent, run.root);
    return { status: "finished", steps, outputDir: run.root, metrics };
  });
}

const betaOf = (config: SPINConfig, t: number): number =>
  t === config.num_iterations - 1 ? (config.last_beta ?? config.beta) : config.beta;

/** data/examples.jsonl to play on, data/eval.jsonl to measure on. */
async function splitExamples(config: SPINConfig, run: SelfPlayRun): Promise<void> {
  const folder = join(run.root, "data");
  const specs = trainingSpecs(config);
  await run.stage({
    name: "examples",
    folder,
    settings: { specs, seed: config.seed, eval: config.num_eval_prompts, longest: config.max_prompt_length },
    reads: listLocalFiles(specs.flatMap(({ path, data_files }) => [path, data_files])),
    writes: ["examples.jsonl", "eval.jsonl"],
    async run() {
      const loaded = await loadAnsweredRows(specs, { hasChatTemplate: run.tokenizer.hasChatTemplate, seed: config.seed });
      const limits = { maxPromptLength: config.max_prompt_length, ...(await readPositions(run.base)) };
      const rows = new Random(config.seed).shuffle(keepFittingPrompts(loaded, run, limits));
      checkEnough(rows.length, config.num_eval_prompts, "examples");
      const [apart, played] = [rows.slice(0, config.num_eval_prompts), rows.slice(config.num_eval_prompts)];
      reportRepeats(run, apart, played);
      await writeRows(join(folder, "eval.jsonl"), apart);
      await writeRows(join(folder, "examples.jsonl"), played);
    },
  });
}

interface Game {
  readonly folder: string;
  readonly opponent: string;
  readonly clock: Clock;
}

/** pairs.jsonl: people's answers, and the opponent's to the same prompts. */
async function generate(
  config: SPINConfig,
  run: SelfPlayRun,
  { t, folder, opponent, clock }: Game & { readonly t: number },
): Promise<void> {
  const examples = join(run.root, "data", "examples.jsonl");
  const settings = answerSettings(config, t);
  const count = config.prompts_per_iteration;
  const stage = {
    name: "pairs",
    folder,
    settings: { settings, count, t },
    reads: [examples, opponent],
    writes: ["pairs.jsonl"],
    run: async ({ resume }: { resume: boolean }) => {
      const all = await readRows<AnsweredRow>(examples, ["prompt", "answer"]);
      const rows = count === null ? all : new Random(config.seed + t).shuffle([...all]).slice(0, count);
      const progress = run.progress(`iteration ${t}: the opponent's answers`, rows.length);
      const kept = await produceRows({
        path: join(folder, "pairs.jsonl"),
        items: rows,
        partSize: config.generation_batch_size,
        resume,
        signal: run.context.signal,
        produce: playOpponent(run, opponent, settings, progress),
        keep: hasWords,
      });
      checkPairs(run, `iteration ${t}`, { kept, of: rows.length });
    },
  };
  await run.stage(stage, clock, "generation");
}

/** Pairs of people's answers and the opponent's; the opponent is loaded for each call and let go after it. */
function playOpponent(
  run: SelfPlayRun,
  opponent: string,
  settings: AnswerSettings,
  progress: (done: number) => void,
): (part: readonly AnsweredRow[], first: number) => Promise<SPINPair[]> {
  return async (part, first) => {
    const policy = await openPolicy(opponent, run.backend);
    try {
      let done = first;
      const answers = await sampleAnswers(
        policy,
        part.map(({ prompt }) => prompt),
        settings,
        {
          first,
          signal: run.context.signal,
          onAnswer: () => progress(++done),
        },
      );
      return part.map(({ prompt, answer }, i) => ({
        prompt,
        chosen: toCompletion(prompt, answer),
        rejected: toCompletion(prompt, answers[i][0].text),
      }));
    } finally {
      policy.release();
    }
  };
}

/** An opponent that ended at once has said nothing that could be told from a person's words. */
const hasWords = ({ rejected }: Pick<SPINPair, "rejected">): boolean =>
  !isEmptyAnswer(typeof rejected === "string" ? rejected : rejected.map(({ content }) => content).join(""));

function checkPairs(run: SelfPlayRun, name: string, { kept, of }: { readonly kept: number; readonly of: number }): void {
  if (kept === 0)
    throw new SparError("self-play/no-pairs", `${name}: expected answers of the opponent, got ${of} empty ones`, {
      hint: "The model ends at once: look at what it writes with spar generate, and train it (spar sft) on answers first.",
    });
  reportEmptyAnswers(run, name, of - kept, of);
}

/** gain.json: the game of this iteration, on examples set apart. */
async function measureGain(
  config: SPINConfig,
  run: SelfPlayRun,
  { t, folder, model, opponent, beta, clock }: Game & { readonly t: number; readonly model: string; readonly beta: number },
): Promise<Gain> {
  const examples = join(run.root, "data", "eval.jsonl");
  const settings = { ...answerSettings(config, 0), seed: config.seed };
  await run.stage(
    {
      name: "gain",
      folder,
      settings: { settings, beta, longest: config.max_length },
      reads: [examples, opponent, model],
      writes: ["eval-pairs.jsonl", "gain.json"],
      run: async () => {
        const rows = await readRows<AnsweredRow>(examples, ["prompt", "answer"]);
        const play = playOpponent(run, opponent, settings, run.progress("the opponent's answers set apart", rows.length));
        const pairs = (await play(rows, 0)).filter(hasWords);
        checkPairs(run, `iteration ${t}, examples set apart`, { kept: pairs.length, of: rows.length });
        const context = createTokeniseContext(run.tokenizer);
        const tokenised = pairs.map((pair) => tokenisePair({ kind: "preference", ...pair }, context));
        const [main, other] = [await scorePairs(run, model, tokenised, config), await scorePairs(run, opponent, tokenised, config)];
        const margins = main.map(({ chosen, rejected }, i) => chosen - other[i].chosen - (rejected - other[i].rejected));
        await writeRows(
          join(folder, "eval-pairs.jsonl"),
          pairs.map((pair, i) => ({ ...pair, margin: margins[i] })),
        );
        await writeFile(join(folder, "gain.json"), `${JSON.stringify(summarizeMargins(margins, beta), undefined, 2)}\n`);
      },
    },
    clock,
    "judging",
  );
  return readSummary<Gain>(join(folder, "gain.json"), gainShapes);
}

/** What margins (in nats) mean for the loss with `beta`; a margin of 0 is not told apart. */
export function summarizeMargins(margins: readonly number[], beta: number): Gain {
  const examples = margins.length;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / examples;
  // log(1 + e⁻ˣ) without overflow.
  const loss = mean(margins.map((margin) => Math.max(0, -beta * margin) + Math.log1p(Math.exp(-Math.abs(beta * margin)))));
  const told = margins.filter((margin) => margin > 0).length;
  const [low, high] = intervalOfShare(told, examples);
  return { examples, loss, gain: Math.LN2 - loss, margin: mean(margins), accuracy: told / examples, interval: [low, high] };
}

/** Summed log-probs of both answers of each pair, each to max_length as in training. */
async function scorePairs(
  run: SelfPlayRun,
  folder: string,
  pairs: readonly TokenizedPair[],
  config: SPINConfig,
): Promise<{ chosen: number; rejected: number }[]> {
  const policy = await openPolicy(folder, run.backend);
  const scorer = createScorer(policy.model, run.backend, { maxRows: config.generation_batch_size });
  try {
    const longest = Math.min(config.max_length ?? Infinity, policy.model.config.maxPositions);
    const rows = pairs.flatMap(({ promptIds, chosenIds, rejectedIds }) =>
      [chosenIds, rejectedIds].map((ids) => ({ ids: [...promptIds, ...ids].slice(0, longest), from: promptIds.length })),
    );
    const sums = (await scorer.logprobs(rows)).map(({ logprobs }) => logprobs.reduce((sum, value) => sum + value, 0));
    return pairs.map((_, i) => ({ chosen: sums[2 * i], rejected: sums[2 * i + 1] }));
  } finally {
    scorer.release();
    policy.release();
  }
}

function report(run: SelfPlayRun, t: number, gain: Gain, clock: Clock): { [metric: string]: number } {
  const values = {
    iteration: t,
    "gain/loss": gain.loss,
    "gain/gain": gain.gain,
    "gain/margin": gain.margin,
    "gain/accuracy": gain.accuracy,
    ...clock.describe(),
  };
  run.report({ step: t + 1, ...values });
  const message = `iteration ${t}: gain ${gain.gain.toFixed(4)} (loss ${gain.loss.toFixed(4)} from ${Math.LN2.toFixed(4)}); told apart on ${percent(gain.accuracy)} of ${gain.examples} examples set apart`;
  run.context.tracker.event({ code: "self-play/model", message, iteration: t });
  return values;
}

function answerSettings(config: SPINConfig, t: number): AnswerSettings {
  const { temperature, top_p: topP, top_k: topK, max_new_tokens: maxNewTokens, generation_batch_size: batchSize } = config;
  return { temperature, topP, topK, maxNewTokens, seed: new Random(config.seed + 1000 * (t + 1)).integer(2 ** 31), batchSize, count: 1 };
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
