/** What a self-rewarding run watches of each model: one answer to each prompt set apart, graded by the outside judge where there is one. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../data/index.ts";
import { averageScores } from "../rewards/index.ts";
import type { SampleRow } from "../tracking/index.ts";
import type { SelfRewardingConfig } from "../trainers/configs.ts";
import { answerSettings, drawSeed, readQuestion } from "./answering.ts";
import { findOutsideWarnings, measureAnswers, measureWins, type Watched } from "./monitors.ts";
import { configureOutside, describeJudge, listJudgeFiles, openOutsideJudge } from "./open-judge.ts";
import { openPolicy, sampleAnswers } from "./policy.ts";
import type { PromptRow } from "./read-examples.ts";
import { watchedShapes } from "./row-shapes.ts";
import { readRows, readSummary, writeRows } from "./rows-file.ts";
import { listLocalFiles, type Clock, type SelfPlayRun } from "./self-play-run.ts";

/** watch.jsonl and watch.json of a model: one answer to each prompt set apart, by the outside judge where there is one. */
export async function watch(
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
  const outside = configureOutside(config);
  const against = index === 0 ? [] : [join(models[0].folder, "watch.jsonl")];
  await run.stage(
    {
      name: "watch",
      folder,
      settings: { settings, outside: config.outside_judge, ...(outside === undefined ? {} : describeJudge(outside)) },
      reads: [prompts, model, ...against, ...(outside === undefined ? [] : listLocalFiles(listJudgeFiles(outside.outside_judge, outside)))],
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
        let graded: { score: (number | null)[]; voids: number | null; wins: Pick<Watched, "win_rate" | "win_interval"> } = {
          score: [],
          voids: null,
          wins: { win_rate: null, win_interval: null },
        };
        if (outside !== undefined) {
          const judge = await openOutsideJudge(outside, {
            backend: run.backend,
            seed: settings.seed,
            resolveModel: run.findModel,
            folder,
            context: run.context,
          });
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
            const judged = judge.kind === "grades" ? score : comparisons.map(({ verdict }) => verdict);
            const voids = judged.length === 0 ? null : judged.filter((one) => one === null).length / judged.length;
            graded = { score, voids, wins: measureWins(comparisons, config.seed) };
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
        const summary: Watched = {
          ...measureAnswers(texts),
          outside_score: averageScores(graded.score),
          outside_voids: graded.voids,
          ...graded.wins,
        };
        await writeFile(join(folder, "watch.json"), `${JSON.stringify(summary, undefined, 2)}\n`);
      },
    },
    clock,
    "generation",
  );
  const watched = await readSummary<Watched>(join(folder, "watch.json"), watchedShapes);
  const outsideWarnings = findOutsideWarnings(models[index].name, watched, { withoutGain: config.stop_without_gain });
  for (const event of outsideWarnings) run.context.tracker.event(event);
  return watched;
}

/** The first of a model's answers to the prompts set apart. */
export async function readSamples(
  step: number,
  { name, folder }: { readonly name: string; readonly folder: string },
): Promise<SampleRow[]> {
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
