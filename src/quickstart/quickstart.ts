/** The path rlhf: the shipped model, a reward model learnt from people's labels, PPO, and a report of before and after. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseRecipe } from "../recipes/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { createRewardScore, measureCompletions } from "./completions.ts";
import { parseCurves, type Curves } from "./curves.ts";
import { loadOpenings } from "./openings.ts";
import { renderHtml } from "./report-html.ts";
import { renderMarkdown } from "./report-markdown.ts";
import type { RLHFReport } from "./report.ts";
import { loadSentences, pairSentences, splitSentences, surroundPairs, tokenisePairs } from "./sentences.ts";
import {
  embeddedModel,
  heldOutOpenings,
  heldOutSentences,
  listSamples,
  openingsFile,
  packageFile,
  pickSamples,
  round,
  sumSeconds,
  withQuickstart,
  writeRows,
  type QuickstartOptions,
  type ReportFiles,
} from "./stages.ts";

const recipeFiles = { reward: packageFile("recipes/quickstart/reward.yaml"), ppo: packageFile("recipes/quickstart/ppo.yaml") };

/** How often each positive sentence is compared in training, each time with another negative one. */
const pairingRounds = 4;
/** Longest side of a pair; the policy's texts are shorter. */
const pairTokens = 48;
/** Completions of the untuned model, on training openings, that labelled sentences are put into. */
const surroundingTexts = 256;

export type QuickstartResult = { readonly report: RLHFReport; readonly files: ReportFiles };

/**
 * Throws `run/folder-not-empty`, `quickstart/…`, InterruptedError, and whatever the trainings throw; how it ended is in run.json.
 */
export function runQuickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  return withQuickstart(options, "rlhf", async ({ directory, stages, runStage, train, sample }) => {
    const { outputDir, seed } = options;
    const base = options.model ?? embeddedModel;
    const rewardFolder = join(outputDir, "reward");
    const policyFolder = join(outputDir, "ppo");
    const dataFolder = join(outputDir, "data");
    const ppoFlags = [
      "--sft_model_path",
      base,
      "--reward_model_path",
      rewardFolder,
      "--dataset_name",
      join(dataFolder, "openings"),
      "--output_dir",
      policyFolder,
      "--seed",
      String(seed),
      ...(options.flags?.ppo ?? []),
    ];
    const maxNewTokens = await readResponseLength(ppoFlags);
    const openings = await loadOpenings(openingsFile, heldOutOpenings, seed);
    const settings = { maxNewTokens };

    const { before, written } = await runStage(
      "model",
      // Held-out openings first: they are the same rows, with the same random numbers, as after the tuning.
      async (tracker) => {
        const samples = await sample(base, [...openings.heldOut, ...openings.train.slice(0, surroundingTexts)], tracker, settings);
        return { before: samples.slice(0, heldOutOpenings), written: samples.slice(heldOutOpenings) };
      },
      ({ before: samples }) => ({ samples }),
    );

    const rewardModel = await runStage(
      "reward_model",
      async (tracker) => {
        const { train: known, heldOut } = splitSentences(await loadSentences(), heldOutSentences, seed);
        const tokenizer = await loadTokenizer(base);
        const pairs = {
          train: surroundPairs(pairSentences(known, pairingRounds, seed), tokenizer, {
            maxTokens: pairTokens,
            surroundings: written.map(({ ids }) => ids),
            seed,
          }),
          test: tokenisePairs(pairSentences(heldOut, 1, seed), tokenizer, pairTokens),
        };
        await mkdir(join(dataFolder, "reward"), { recursive: true });
        for (const [split, rows] of Object.entries(pairs)) await writeRows(join(dataFolder, "reward", `${split}.jsonl`), rows);
        const flags = [
          "--model_name_or_path",
          base,
          "--dataset_name",
          join(dataFolder, "reward"),
          "--output_dir",
          rewardFolder,
          "--seed",
          String(seed),
          ...(options.flags?.reward ?? []),
        ];
        const { metrics } = await train("reward", recipeFiles.reward, tracker, flags);
        return {
          train_pairs: pairs.train.length,
          heldout_pairs: pairs.test.length,
          heldout_accuracy: round(metrics["eval_accuracy"] ?? NaN, 4),
        };
      },
      (measured) => ({ rewardModel: measured }),
    );

    const outcome = await runStage("ppo", async (tracker) => {
      await mkdir(join(dataFolder, "openings"), { recursive: true });
      await writeRows(
        join(dataFolder, "openings", "train.jsonl"),
        openings.train.map((prompt) => ({ prompt })),
      );
      await writeRows(
        join(dataFolder, "openings", "test.jsonl"),
        openings.heldOut.map((prompt) => ({ prompt })),
      );
      return train("ppo", recipeFiles.ppo, tracker, ppoFlags);
    });

    const { after, sides } = await runStage("report", async (tracker) => {
      const tuned = await sample(policyFolder, openings.heldOut, tracker, settings);
      const models = { base, score: createRewardScore(rewardFolder, base) };
      return { after: tuned, sides: { before: await measureCompletions(before, models), after: await measureCompletions(tuned, models) } };
    });
    directory.samples([
      ...listSamples(0, "reward_model", before, sides.before),
      ...listSamples(outcome.steps, "reward_model", after, sides.after),
    ]);

    const report: RLHFReport = {
      path: "rlhf",
      seed,
      seconds: sumSeconds(stages),
      stages,
      reward_model: rewardModel,
      before: sides.before.summary,
      after: { ...sides.after.summary, kl: sides.after.kl },
      samples: pickSamples(before, after),
    };
    const files = { json: join(outputDir, "report.json"), markdown: join(outputDir, "report.md"), html: join(outputDir, "report.html") };
    await writeFile(files.json, `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(files.markdown, renderMarkdown(report));
    await writeFile(
      files.html,
      renderHtml({ report, sides, completions: { before, after }, curves: await loadCurves(policyFolder), version: options.version }),
    );
    return { report, files };
  });
}

async function readResponseLength(flags: readonly string[]): Promise<number> {
  // What the recipe names does not exist yet.
  const recipe = await parseRecipe({
    method: "ppo",
    yaml: { text: await readFile(recipeFiles.ppo, "utf8"), file: recipeFiles.ppo },
    flags,
  });
  if (recipe.method !== "ppo") throw new Error("spar bug: the recipe of PPO is one of another method");
  return recipe.config.response_length;
}

async function loadCurves(folder: string): Promise<Curves> {
  return parseCurves(await readFile(join(folder, "metrics.jsonl"), "utf8"));
}
