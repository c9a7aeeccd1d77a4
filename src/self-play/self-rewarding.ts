/**
 * Self-rewarding language models (Yuan et al. 2024, arXiv 2401.10020):
 *
 *   M0 → SFT on instruction and judging examples → M1
 *   M1 → [prompts → N answers → judged → best and worst as pairs → DPO from the current model, which is also the reference] → M2 → M3 …
 *
 * Every arrow is a stage (stage.ts) with files that can be read and edited, in a folder for each model. The judge is the model itself, or
 * M1 frozen, or any other judge (RLAIF), or rewards (iterative DPO).
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { specFromName, type Content, type Message } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import { averageScores, loadRubric } from "../rewards/index.ts";
import type { SampleRow } from "../tracking/index.ts";
import { pickDPOKeys, type SelfRewardingConfig, type TrainingContext, type TrainingOutcome } from "../trainers/configs.ts";
import { trainingSpecs } from "../trainers/index.ts";
import { choosePair, isEmptyAnswer } from "./choose-pairs.ts";
import { buildJudgingExamples } from "./eft.ts";
import { makePrompts, promptPatternVersion } from "./make-prompts.ts";
import {
  findStopReason,
  findWarnings,
  measureAnswers,
  measureWins,
  summarizeJudgements,
  type JudgementSummary,
  type Watched,
} from "./monitors.ts";
import { describeJudge, listJudgeFiles, nameJudge, openJudge } from "./open-judge.ts";
import { openPolicy, sampleAnswers, toCompletion, type AnswerSettings } from "./policy.ts";
import { loadPlainRows, loadPromptRows, type PromptRow } from "./read-examples.ts";
import { produceRows, readRows, writeRows } from "./rows-file.ts";
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
import { createTrainingStage, readTrainingSteps } from "./train-stage.ts";

interface CandidateRow {
  readonly prompt: Content;
  readonly answers: readonly { readonly text: string; readonly tokens: number }[];
}

interface JudgedAnswer {
  readonly text: string;
  readonly tokens: number;
  readonly score: number | null;
  readonly judgements: readonly (number | null)[];
  readonly retries: number;
  readonly reasons?: readonly string[];
}

interface JudgedRow {
  readonly prompt: Content;
  readonly answers: readonly JudgedAnswer[];
}

type PairSummary = JudgementSummary & { readonly prompts: number; readonly pairs: number; readonly ties: number };

/** Prompts worked on between two marks in the file: what a run that is killed does again at most. */
const partSize = 32;

export async function trainSelfRewarding(config: SelfRewardingConfig, context: TrainingContext): Promise<TrainingOutcome> {
  return withSelfPlayRun(config, context, async (run) => {
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
            hint: `Look at ${join(folder, "judgements.jsonl")}: the judge may not keep to its form, or give everything the same grade.`,
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

/** data/prompts.jsonl to learn on, data/eval.jsonl to watch on. */
async function splitPrompts(config: SelfRewardingConfig, run: SelfPlayRun): Promise<void> {
  const folder = join(run.root, "data");
  const specs = trainingSpecs(config);
  const options = { hasChatTemplate: run.tokenizer.hasChatTemplate, seed: config.seed };
  await run.stage({
    name: "prompts",
    folder,
    settings: { specs, seed: config.seed, eval: [config.eval_dataset, config.num_eval_prompts], longest: config.max_prompt_length },
    reads: [...listLocalFiles(specs.flatMap(({ path, data_files }) => [path, data_files])), ...listLocalFiles([config.eval_dataset])],
    writes: ["prompts.jsonl", "eval.jsonl"],
    async run() {
      const { maxPositions } = await readPositions(run.base);
      const limits = { maxPromptLength: config.max_prompt_length, maxPositions };
      const rows = keepFittingPrompts(await loadPromptRows(specs, options), run, limits);
      const others =
        config.eval_dataset === null
          ? undefined
          : keepFittingPrompts(await loadPromptRows([specFromName({ dataset_name: config.eval_dataset }, "train")], options), run, limits);
      const order = new Random(config.seed).shuffle([...rows]);
      if (others === undefined && rows.length <= config.num_eval_prompts) {
        throw new SparError(
          "self-play/few-prompts",
          `expected more than ${config.num_eval_prompts} prompts (num_eval_prompts are set apart), got ${rows.length}`,
          {
            hint: "Lower num_eval_prompts, or give eval_dataset.",
          },
        );
      }
      await writeRows(join(folder, "eval.jsonl"), others?.slice(0, config.num_eval_prompts) ?? order.slice(0, config.num_eval_prompts));
      await writeRows(join(folder, "prompts.jsonl"), others === undefined ? order.slice(config.num_eval_prompts) : order);
    },
  });
}

/** M1: SFT on instruction and judging examples; without either it is M0. */
async function trainFirst(config: SelfRewardingConfig, run: SelfPlayRun, clock: Clock): Promise<{ model: string; steps: number }> {
  const folder = join(run.root, "M1");
  const { seed } = config;
  const data: string[] = [];
  const copy = async (
    name: "ift" | "eft",
    dataset: string,
    settings: object,
    convert: (rows: Awaited<ReturnType<typeof loadPlainRows>>) => readonly object[] | Promise<readonly object[]>,
  ): Promise<void> => {
    await run.stage({
      name,
      folder,
      settings: { dataset, ...settings },
      reads: listLocalFiles([dataset, ...(name === "eft" ? [config.judge_rubric] : [])]),
      writes: [`${name}.jsonl`],
      run: async () =>
        writeRows(
          join(folder, `${name}.jsonl`),
          await convert(await loadPlainRows([specFromName({ dataset_name: dataset }, "train")], seed)),
        ),
    });
    data.push(join(folder, `${name}.jsonl`));
  };
  if (config.ift_dataset !== null) await copy("ift", config.ift_dataset, {}, (rows) => rows);
  if (config.eft_dataset !== null) {
    await copy("eft", config.eft_dataset, { rubric: config.judge_rubric }, async (rows) =>
      buildJudgingExamples(rows, await loadRubric(config.judge_rubric), { isChat: run.tokenizer.hasChatTemplate }),
    );
  }
  if (data.length === 0) return { model: run.base, steps: 0 };

  const train = async (
    name: string,
    output: string,
    model: string,
    files: readonly string[],
    epochs: number,
  ): Promise<{ model: string; steps: number }> => {
    const keys = {
      ...pickDPOKeys(config),
      learning_rate: config.sft_learning_rate,
      lr_scheduler_type: config.sft_lr_scheduler_type,
      num_train_epochs: epochs,
      per_device_train_batch_size: config.sft_batch_size,
      max_steps: -1,
    };
    const shared = Object.fromEntries(Object.entries(keys).filter(([key]) => !dpoOnly.has(key)));
    const stage = createTrainingStage({
      name,
      folder,
      output,
      method: "sft",
      model,
      data: files,
      keys: shared,
      root: run.root,
      context: run.context,
      backend: run.backend,
    });
    await run.stage(stage, clock, "training");
    return { model: join(folder, output), steps: await readTrainingSteps(folder, output) };
  };
  const judging = data.filter((file) => file.endsWith("eft.jsonl"));
  const judge =
    config.eft_first_epochs > 0 && judging.length > 0
      ? await train("judge-training", "judge", run.base, judging, config.eft_first_epochs)
      : { model: run.base, steps: 0 };
  const mixed = await train("training", "model", judge.model, data, config.sft_num_train_epochs);
  return { model: mixed.model, steps: judge.steps + mixed.steps };
}

/** DPO's keys that SFT does not know. */
const dpoOnly = new Set(
  `disable_dropout loss_type loss_weights beta label_smoothing ld_alpha f_divergence_type f_alpha_divergence_coef use_weighting discopop_tau
  precompute_ref_log_probs precompute_ref_batch_size sync_ref_model ref_model_mixup_alpha ref_model_sync_steps eval_strategy eval_on_start test_split_size`.split(
    /\s+/,
  ),
);

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
  const making = Object.fromEntries(Object.entries(config).filter(([key]) => key.startsWith("prompt_")));
  const stage = {
    name: "prompts",
    folder,
    settings: { count, seed, iteration, ...(make_prompts ? { making, pattern: promptPatternVersion } : {}) },
    reads: [given, ...(make_prompts ? [maker] : [])],
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
      const policy = await openPolicy(maker, run.backend);
      try {
        const { prompts, counts } = await makePrompts(
          policy,
          rows.map(({ prompt }) => readQuestion(prompt)),
          {
            count: count as number,
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
  const name = nameJudge(config, { current: model, first });
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
      const judge = await openJudge(name, config, { backend: run.backend, seed, resolveModel: run.findModel });
      let judged = 0;
      try {
        await produceRows({
          path: join(folder, "judgements.jsonl"),
          items: rows,
          partSize,
          resume,
          signal: run.context.signal,
          async produce(part) {
            const requests = part.flatMap(({ prompt, answers, ...columns }) =>
              answers.map(({ text }) => ({ prompt, answer: text, columns })),
            );
            const grades = await judge.grade(requests, { signal: run.context.signal, onProgress: (done) => progress(judged + done) });
            judged += requests.length;
            let at = 0;
            return part.map((row): JudgedRow => ({
              ...row,
              answers: row.answers.map(({ text, tokens }): JudgedAnswer => {
                const { score, judgements, retries, texts } = grades[at++];
                return { text, tokens, score, judgements, retries, ...(texts === undefined ? {} : { reasons: texts }) };
              }),
            }));
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
      const rows = await readRows<JudgedRow>(judgements, ["prompt", "answers"]);
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
      };
      await writeRows(join(folder, "pairs.jsonl"), pairs);
      await writeFile(join(folder, "pairs-summary.json"), `${JSON.stringify(summary, undefined, 2)}\n`);
    },
  });
  const { pairs: _made, ...summary } = JSON.parse(await readFile(join(folder, "pairs-summary.json"), "utf8")) as PairSummary;
  // Pairs may have been edited since.
  return { ...summary, pairs: (await readRows(join(folder, "pairs.jsonl"), [])).length };
}

/** watch.jsonl and watch.json of a model: one answer to each prompt set apart, by the outside judge where there is one. */
async function watch(
  config: SelfRewardingConfig,
  run: SelfPlayRun,
  models: readonly { readonly name: string; readonly folder: string; readonly model: string }[],
  index: number,
  clock: Clock,
): Promise<Watched> {
  const { folder, model } = models[index];
  const prompts = join(run.root, "data", "eval.jsonl");
  // The same random numbers for every model.
  const settings = answerSettings(config, drawSeed(config, 0, "watch"), 1);
  const { outside_judge: outside } = config;
  const against = index === 0 ? [] : [join(models[0].folder, "watch.jsonl")];
  await run.stage(
    {
      name: "watch",
      folder,
      settings: { settings, outside, ...(outside === null ? {} : describeJudge(config)) },
      reads: [prompts, model, ...against, ...(outside === null ? [] : listLocalFiles(listJudgeFiles(outside, config)))],
      writes: ["watch.jsonl", "watch.json"],
      run: async () => {
        const rows = await readRows<PromptRow>(prompts, ["prompt"]);
        const policy = await openPolicy(model, run.backend);
        const answers = await sampleAnswers(
          policy,
          rows.map(({ prompt }) => prompt),
          settings,
          { signal: run.context.signal },
        ).finally(policy.release);
        const texts = answers.map(([answer]) => answer);
        let graded: { score: (number | null)[]; wins: Pick<Watched, "win_rate" | "win_interval"> } = {
          score: [],
          wins: { win_rate: null, win_interval: null },
        };
        if (outside !== null) {
          const judge = await openJudge(outside, config, { backend: run.backend, seed: settings.seed, resolveModel: run.findModel });
          try {
            const signal = run.context.signal;
            const score =
              judge.kind === "grades"
                ? (
                    await judge.grade(
                      rows.map(({ prompt, ...columns }, i) => ({ prompt, answer: texts[i].text, columns })),
                      { signal },
                    )
                  ).map((grade) => grade.score)
                : [];
            const old = index === 0 ? [] : await readRows<{ answer: string }>(against[0], ["answer"]);
            const comparisons =
              old.length === rows.length
                ? await judge.compare(
                    rows.map(({ prompt, ...columns }, i) => ({ prompt, a: texts[i].text, b: old[i].answer, columns })),
                    { signal },
                  )
                : [];
            graded = { score, wins: measureWins(comparisons, config.seed) };
          } finally {
            judge.release?.();
          }
        }
        await writeRows(
          join(folder, "watch.jsonl"),
          rows.map(({ prompt }, i) => ({
            prompt,
            answer: texts[i].text,
            tokens: texts[i].tokens,
            ...(graded.score.length === 0 ? {} : { outside: graded.score[i] }),
          })),
        );
        const summary: Watched = { ...measureAnswers(texts), outside_score: averageScores(graded.score), ...graded.wins };
        await writeFile(join(folder, "watch.json"), `${JSON.stringify(summary, undefined, 2)}\n`);
      },
    },
    clock,
    "generation",
  );
  return JSON.parse(await readFile(join(folder, "watch.json"), "utf8")) as Watched;
}

/** The first of a model's answers to the prompts set apart. */
async function readSamples(step: number, { name, folder }: { readonly name: string; readonly folder: string }): Promise<SampleRow[]> {
  const rows = await readRows<{ prompt: Content; answer: string; outside?: number | null }>(join(folder, "watch.jsonl"), [
    "prompt",
    "answer",
  ]);
  return rows.slice(0, 8).map(({ prompt, answer, outside }) => ({
    step,
    model: name,
    prompt: readQuestion(prompt),
    completion: answer,
    ...(typeof outside === "number" ? { scores: { outside } } : {}),
  }));
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

function answerSettings(config: SelfRewardingConfig, seed: number, count: number): AnswerSettings {
  const { temperature, top_p: topP, top_k: topK, max_new_tokens: maxNewTokens, generation_batch_size: batchSize } = config;
  return { temperature, topP, topK, maxNewTokens, seed, batchSize, count };
}

/** Random numbers of their own for every use in every iteration. */
function drawSeed({ seed }: SelfRewardingConfig, iteration: number, use: "prompts" | "candidates" | "judgements" | "watch"): number {
  return new Random(seed + 1000 * iteration + ["prompts", "candidates", "judgements", "watch"].indexOf(use)).integer(2 ** 31);
}

/** The last thing that was asked. */
function readQuestion(prompt: Content): string {
  return typeof prompt === "string" ? prompt : ((prompt as Message[]).findLast(({ role }) => role === "user")?.content ?? "");
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
