/**
 * Self-rewarding language models (Yuan et al. 2024, arXiv 2401.10020):
 *
 *   M0 → SFT on instruction and judging examples → M1
 *   M1 → [prompts → N answers → judged → best and worst as pairs → DPO from the current model, which is also the reference] → M2 → M3 …
 *
 * Every arrow is a stage (stage.ts) with files that can be read and edited, in a folder for each model. The judge is the model itself, or
 * M1 or M0 as they were, or any other judge (RLAIF), or rewards (iterative DPO).
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { pickDPOKeys, type SelfRewardingConfig, type TrainingContext, type TrainingOutcome } from "../trainers/configs.ts";
import { answerSettings, drawSeed, readQuestion } from "./answering.ts";
import { choosePair, isEmptyAnswer } from "./choose-pairs.ts";
import { trainFirst } from "./first-model.ts";
import { describeUsage } from "./judge-usage.ts";
import { judgeRows, summarizeCompared, type CandidateRow, type JudgedRow } from "./judge-candidates.ts";
import { makePrompts, promptPatternVersion } from "./make-prompts.ts";
import { findStopReason, findWarnings, summarizeJudgements, type JudgementSummary, type Watched } from "./monitors.ts";
import { checkJudges, describeJudge, listJudgeFiles, nameJudge, openJudge } from "./open-judge.ts";
import { openPolicy, sampleAnswers, toCompletion } from "./policy.ts";
import type { PromptRow } from "./read-examples.ts";
import { judgedShapes, pairSummaryShapes } from "./row-shapes.ts";
import { produceRows, readRows, readSummary, writeRows } from "./rows-file.ts";
import {
  createClock,
  leaveModel,
  listLocalFiles,
  reportEmptyAnswers,
  withSelfPlayRun,
  type Clock,
  type SelfPlayRun,
} from "./self-play-run.ts";
import { splitPrompts } from "./split-prompts.ts";
import { createTrainingStage, readTrainingSteps } from "./train-stage.ts";
import { readSamples, watch } from "./watch-model.ts";

type PairSummary = JudgementSummary & { readonly prompts: number; readonly pairs: number; readonly ties: number };

/** Prompts worked on between two marks in the file: what a run that is killed does again at most. */
const partSize = 32;

export async function trainSelfRewarding(config: SelfRewardingConfig, context: TrainingContext): Promise<TrainingOutcome> {
  return withSelfPlayRun(config, context, async (run) => {
    await checkJudges(config, { resolveModel: run.findModel, context });
    await splitPrompts(config, run);
    const clock = createClock();
    const first = await trainFirst(config, run, clock);
    const models = [{ name: "M1", folder: join(run.root, "M1"), model: first.model }];
    const watched = [await watch(config, run, models, 0, clock)];
    let steps = first.steps;
    let metrics: { [name: string]: number } = await report(run, 1, models[0], watched, undefined, clock);

    for (let iteration = 2; iteration <= config.num_iterations + 1; iteration++) {
      const name = `M${iteration}`;
      const folder = join(run.root, name);
      const current = models[models.length - 1].model;
      const time = createClock();
      await preparePrompts(config, run, { iteration, folder, clock: time });
      await sampleCandidates(config, run, { iteration, folder, model: current, clock: time });
      await judgeCandidates(config, run, { iteration, folder, model: current, first: first.model, clock: time });
      const summary = await pairUp(config, run, { name, folder });
      if (summary.pairs === 0) {
        throw new SparError(
          "self-play/no-pairs",
          `${name}: expected two answers to a prompt with words and different grades, got ${percent(summary.ties)} ties and ${percent(summary.voids)} voids`,
          {
            hint: `Look at ${join(folder, "judgements.jsonl")}: the judge may not keep to its form, or give everything the same grade. A pairs.jsonl that was emptied by hand is made again where it is deleted.`,
          },
        );
      }
      const training = createTrainingStage({
        name: "training",
        folder,
        output: "model",
        method: "dpo",
        model: current,
        data: [join(folder, "pairs.jsonl")],
        keys: pickDPOKeys(config),
        root: run.root,
        context,
        backend: run.backend,
      });
      await run.stage(training, time, "training");
      steps += await readTrainingSteps(folder, "model");
      models.push({ name, folder, model: join(folder, "model") });
      watched.push(await watch(config, run, models, iteration - 1, time));
      metrics = await report(run, iteration, models[iteration - 1], watched, summary, time);
      const reason = findStopReason(
        { first: watched[0], previous: watched[iteration - 2], current: watched[iteration - 1] },
        { withoutGain: config.stop_without_gain, lengthGrowth: config.stop_length_growth, distinct2: config.stop_distinct_2 },
      );
      if (reason !== undefined) {
        const kept = models[models.length - 2];
        context.tracker.event({
          code: "self-play/stopped",
          message: `${name}: ${reason}; the run ends, and leaves ${kept.name}`,
          iteration,
        });
        await leaveModel(kept.model, run.root);
        return { status: "finished", steps, outputDir: run.root, metrics };
      }
    }
    await leaveModel(models[models.length - 1].model, run.root);
    return { status: "finished", steps, outputDir: run.root, metrics };
  });
}

interface Iteration {
  readonly iteration: number;
  readonly folder: string;
  readonly clock: Clock;
}

/** prompts.jsonl: the next of the given ones, or new ones. */
async function preparePrompts(config: SelfRewardingConfig, run: SelfPlayRun, { iteration, folder, clock }: Iteration): Promise<void> {
  const given = join(run.root, "data", "prompts.jsonl");
  const { make_prompts, prompt_model, prompts_per_iteration: count, seed } = config;
  const maker = prompt_model === null ? run.base : await run.findModel(prompt_model);
  // New prompts are to be new to what is watched on and to earlier iterations as well.
  const earlier = [
    join(run.root, "data", "eval.jsonl"),
    ...Array.from({ length: iteration - 2 }, (_, i) => join(run.root, `M${i + 2}`, "prompts.jsonl")),
  ];
  const making = Object.fromEntries(Object.entries(config).filter(([key]) => key.startsWith("prompt_")));
  const stage = {
    name: "prompts",
    folder,
    settings: { count, seed, iteration, ...(make_prompts ? { making, pattern: promptPatternVersion } : {}) },
    reads: [given, ...(make_prompts ? [maker, ...earlier] : [])],
    writes: ["prompts.jsonl"],
    run: async () => {
      const rows = await readRows<PromptRow>(given, ["prompt"]);
      if (!make_prompts) {
        const from = count === null ? 0 : (iteration - 2) * count;
        const chosen =
          count === null ? rows : Array.from({ length: Math.min(count, rows.length) }, (_, i) => rows[(from + i) % rows.length]);
        await writeRows(join(folder, "prompts.jsonl"), chosen);
        return;
      }
      const known = (await Promise.all(earlier.map((path) => readRows<PromptRow>(path, ["prompt"])))).flat();
      const policy = await openPolicy(maker, run.backend);
      try {
        const { prompts, counts } = await makePrompts(
          policy,
          rows.map(({ prompt }) => readQuestion(prompt)),
          {
            count: count as number,
            known: known.map(({ prompt }) => readQuestion(prompt)),
            temperature: config.prompt_temperature,
            topP: config.prompt_top_p,
            maxNewTokens: config.prompt_max_new_tokens,
            rougeLimit: config.prompt_rouge_limit,
            minWords: config.prompt_min_words,
            maxWords: config.prompt_max_words,
            bannedWords: config.prompt_banned_words,
            batchSize: config.generation_batch_size,
            seed: drawSeed(config, iteration, "prompts"),
            signal: run.context.signal,
            onProgress: run.progress(`M${iteration}: prompts`, count as number),
          },
        );
        const { kept, ...left } = counts;
        const level = prompts.length < (count as number) ? "warning" : "info";
        const message = `M${iteration}: ${kept} new prompts; left out: ${Object.entries(left)
          .map(([why, n]) => `${n} ${why}`)
          .join(", ")}`;
        run.context.tracker.event({ code: "self-play/prompts-made", level, message, ...counts });
        if (prompts.length === 0)
          throw new SparError("self-play/few-prompts", `M${iteration}: expected new prompts, got none that pass the filters (${message})`, {
            hint: "Give prompts (make_prompts: false), or another prompt_model.",
          });
        const asMessages = typeof rows[0].prompt !== "string";
        await writeRows(
          join(folder, "prompts.jsonl"),
          prompts.map((prompt) => ({ prompt: asMessages ? [{ role: "user", content: prompt }] : prompt })),
        );
      } finally {
        policy.release();
      }
    },
  };
  await run.stage(stage, clock, "generation");
}

/** candidates.jsonl: N answers of the current model to each prompt. */
async function sampleCandidates(
  config: SelfRewardingConfig,
  run: SelfPlayRun,
  { iteration, folder, model, clock }: Iteration & { readonly model: string },
): Promise<void> {
  const prompts = join(folder, "prompts.jsonl");
  const settings = answerSettings(config, drawSeed(config, iteration, "candidates"), config.num_candidates);
  const stage = {
    name: "candidates",
    folder,
    settings,
    reads: [prompts, model],
    writes: ["candidates.jsonl"],
    run: async ({ resume }: { resume: boolean }) => {
      const rows = await readRows<PromptRow>(prompts, ["prompt"]);
      const progress = run.progress(`M${iteration}: answers`, rows.length * config.num_candidates);
      const policy = await openPolicy(model, run.backend);
      try {
        await produceRows({
          path: join(folder, "candidates.jsonl"),
          items: rows,
          partSize: config.generation_batch_size,
          resume,
          signal: run.context.signal,
          async produce(part, first) {
            let done = first * config.num_candidates;
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
            return part.map((row, i): CandidateRow => ({ ...row, answers: answers[i] }));
          },
        });
      } finally {
        policy.release();
      }
    },
  };
  await run.stage(stage, clock, "generation");
}

/** judgements.jsonl: the same rows, each answer with its grade. */
async function judgeCandidates(
  config: SelfRewardingConfig,
  run: SelfPlayRun,
  { iteration, folder, model, first, clock }: Iteration & { readonly model: string; readonly first: string },
): Promise<void> {
  const candidates = join(folder, "candidates.jsonl");
  const name = nameJudge(config, { current: model, first, start: run.base });
  const seed = drawSeed(config, iteration, "judgements");
  const stage = {
    name: "judgements",
    folder,
    settings: { ...describeJudge(config), seed },
    reads: [candidates, ...listLocalFiles(listJudgeFiles(name, config))],
    writes: ["judgements.jsonl"],
    run: async ({ resume }: { resume: boolean }) => {
      const rows = await readRows<CandidateRow>(candidates, ["prompt", "answers"]);
      const total = rows.reduce((sum, { answers }) => sum + answers.length, 0);
      const progress = run.progress(`M${iteration}: judgements`, total);
      const setting = { backend: run.backend, seed, resolveModel: run.findModel, folder, context: run.context };
      const judge = await openJudge(name, config, setting);
      let judged = 0;
      try {
        await produceRows({
          path: join(folder, "judgements.jsonl"),
          items: rows,
          partSize,
          resume,
          signal: run.context.signal,
          async produce(part) {
            const isLookup = name?.startsWith("human:") === true;
            const done = await judgeRows(judge, part, {
              signal: run.context.signal,
              onProgress: (some) => progress(judged + some),
              isLookup,
            });
            judged += part.reduce((sum, { answers }) => sum + answers.length, 0);
            return done;
          },
        });
      } finally {
        judge.release?.();
      }
    },
  };
  await run.stage(stage, clock, "judging");
}

/** pairs.jsonl, as DPO takes them, and what there is to say of the grades. */
async function pairUp(
  config: SelfRewardingConfig,
  run: SelfPlayRun,
  { name, folder }: { name: string; folder: string },
): Promise<PairSummary> {
  const options = { tieWithin: config.tie_within, lengthTier: config.length_tier };
  const judgements = join(folder, "judgements.jsonl");
  await run.stage({
    name: "pairs",
    folder,
    settings: options,
    reads: [judgements],
    writes: ["pairs.jsonl", "pairs-summary.json"],
    run: async () => {
      const rows = await readRows<JudgedRow>(judgements, ["prompt", "answers"], judgedShapes);
      const answered = rows.flatMap(({ answers }) => answers);
      reportEmptyAnswers(run, name, answered.filter(({ text }) => isEmptyAnswer(text)).length, answered.length);
      const chosen = rows.map(({ prompt, answers }) => ({ prompt, pair: choosePair(answers, options) }));
      const pairs = chosen.flatMap(({ prompt, pair }) =>
        typeof pair === "string"
          ? []
          : [
              {
                prompt,
                chosen: toCompletion(prompt, pair.chosen.text),
                rejected: toCompletion(prompt, pair.rejected.text),
                chosen_score: pair.chosen.score,
                rejected_score: pair.rejected.score,
              },
            ],
      );
      const ties = chosen.filter(({ pair }) => pair === "tie").length / Math.max(1, rows.length);
      const summary: PairSummary = {
        prompts: rows.length,
        pairs: pairs.length,
        ties,
        ...summarizeJudgements(answered),
        ...summarizeCompared(rows),
      };
      await writeRows(join(folder, "pairs.jsonl"), pairs);
      await writeFile(join(folder, "pairs-summary.json"), `${JSON.stringify(summary, undefined, 2)}\n`);
    },
  });
  const { pairs: _made, ...summary } = await readSummary<PairSummary>(join(folder, "pairs-summary.json"), pairSummaryShapes);
  // Pairs may have been edited since.
  return { ...summary, pairs: (await readRows(join(folder, "pairs.jsonl"), [])).length };
}

/** A row of metrics.jsonl for a model, its samples, and the warnings that go with it. `step` is the model's number. */
async function report(
  run: SelfPlayRun,
  step: number,
  model: { readonly name: string; readonly folder: string },
  watched: readonly Watched[],
  pairs: PairSummary | undefined,
  clock: Clock,
): Promise<{ [metric: string]: number }> {
  const { tracker } = run.context;
  const { name } = model;
  const [first, current] = [watched[0], watched[watched.length - 1]];
  const values: { [metric: string]: number | null | undefined } = {
    prompts: pairs?.prompts,
    pairs: pairs?.pairs,
    ties: pairs?.ties,
    "judge/mean_score": pairs?.mean_score,
    "judge/voids": pairs?.voids,
    "judge/retries": pairs?.retries,
    "judge/self_agreement": pairs?.self_agreement,
    "answers/mean_length": current.mean_length,
    "answers/length_growth": current.mean_length / first.mean_length,
    "answers/distinct_2": current.distinct_2,
    "outside/mean_score": current.outside_score,
    "outside/win_rate": current.win_rate,
    "outside/voids": current.outside_voids,
    ...describeUsage(model.folder),
    ...clock.describe(),
  };
  const known = Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (typeof value === "number" && Number.isFinite(value) ? [[key, value] as const] : [])),
  );
  run.report({ step, ...known }, await readSamples(step, model));
  tracker.event({ code: "self-play/model", message: `${name}: ${describe(current)}`, model: name });
  if (pairs !== undefined) for (const event of findWarnings(name, first, current, pairs)) tracker.event(event);
  return known;
}

function describe({ mean_length, distinct_2, outside_score, win_rate }: Watched): string {
  return [
    `${mean_length.toFixed(1)} tokens an answer`,
    `distinct-2 ${distinct_2.toFixed(2)}`,
    ...(outside_score === null ? [] : [`outside judge ${outside_score.toFixed(3)}`]),
    ...(win_rate === null ? [] : [`wins ${percent(win_rate)} against M1`]),
  ].join(", ");
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
