/**
 * The path self-play: sentences that people labelled teach the tiny model to grade, M1; then it answers, grades its answers and learns from its
 * grades, M2, M3; SPIN beside it; and a report of every model.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../internal/rng.ts";
import { loadRecipe } from "../recipes/index.ts";
import { gradeTexts, measureCompletions, type Sampled } from "./completions.ts";
import { loadOpenings } from "./openings.ts";
import type { IterationReport, SelfPlayReport } from "./report.ts";
import { renderSelfPlayHtml, renderSelfPlayMarkdown } from "./self-play-pages.ts";
import { loadSentences, splitSentences, type Sentence } from "./sentences.ts";
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

const recipeFiles = {
  selfRewarding: packageFile("recipes/quickstart/self-rewarding.yaml"),
  spin: packageFile("recipes/quickstart/spin.yaml"),
};
const rubricFile = packageFile("recipes/quickstart/verdict-v1.md");

/** What the untuned model writes on each training opening, for M1 to go on writing so while it learns to grade (Robins 1995: pseudo-rehearsal). */
const rehearsals = 2;
const rehearsalTokens = 40;

export type SelfPlayResult = { readonly report: SelfPlayReport; readonly files: ReportFiles };

/** Throws `run/folder-not-empty`, `quickstart/…`, InterruptedError, and whatever the trainings throw; how it ended is in run.json. */
export function runSelfPlayQuickstart(options: QuickstartOptions): Promise<SelfPlayResult> {
  return withQuickstart(options, "self-play", async ({ directory, stages, runStage, train, sample }) => {
    const { outputDir, seed } = options;
    const base = options.model ?? embeddedModel;
    const data = (name: string): string => join(outputDir, "data", `${name}.jsonl`);
    const rewarding = join(outputDir, "self-rewarding");
    const spinning = join(outputDir, "spin");
    const rewardingFlags = listFlags(
      {
        model_name_or_path: base,
        dataset_name: data("openings"),
        eval_dataset: data("openings-held-out"),
        ift_dataset: data("rehearsal"),
        eft_dataset: data("judging"),
        judge_rubric: rubricFile,
        output_dir: rewarding,
        seed: String(seed),
      },
      options.flags?.["self-rewarding"],
    );
    const openings = await loadOpenings(openingsFile, heldOutOpenings, seed);
    const { train: known, heldOut } = splitSentences(await loadSentences(), heldOutSentences, seed);

    await runStage(
      "model",
      async (tracker) => {
        await mkdir(join(outputDir, "data"), { recursive: true });
        const written: Sampled[] = [];
        for (let round_ = 0; round_ < rehearsals; round_++) {
          const draw = { maxNewTokens: rehearsalTokens, seed: new Random(seed + round_).integer(2 ** 31) };
          written.push(...(await sample(base, openings.train, tracker, draw)));
        }
        // As ids: a text that was cut at its last token must not be learnt as one that ends there.
        await writeRows(
          data("rehearsal"),
          written.map(({ promptIds, ids, prompt, text }) => ({ input_ids: [...promptIds, ...ids], written: prompt + text })),
        );
        await writeRows(
          data("judging"),
          known.map(({ text, positive }) => ({ answer: text, label: positive })),
        );
        await writeRows(
          data("openings"),
          openings.train.map((prompt) => ({ prompt })),
        );
        await writeRows(
          data("openings-held-out"),
          openings.heldOut.map((prompt) => ({ prompt })),
        );
        await writeRows(data("human"), splitTexts(known, seed));
        return written;
      },
      (samples) => ({ samples }),
    );

    const recipe = await loadRecipe({ method: "self-rewarding", configPath: recipeFiles.selfRewarding, flags: rewardingFlags });
    if (recipe.method !== "self-rewarding") throw new Error("spar bug: the recipe of self-rewarding is one of another method");
    const settings = { maxNewTokens: recipe.config.max_new_tokens };

    const judge = await runStage(
      "self_rewarding",
      async (tracker) => {
        await train("self-rewarding", recipeFiles.selfRewarding, tracker, rewardingFlags);
        const grades = await gradeTexts(
          join(rewarding, "M1", "model"),
          rubricFile,
          heldOut.map(({ text }) => ({ prompt: "", text })),
        );
        const right = heldOut.filter(({ positive }, i) => positive === grades[i] > 0.5).length;
        return { heldout_n: heldOut.length, heldout_accuracy: round(right / heldOut.length, 4) };
      },
      (measured) => ({ judge: measured }),
    );

    const spinFlags = { model_name_or_path: base, dataset_name: data("human"), output_dir: spinning, seed: String(seed) };
    await runStage("spin", (tracker) => train("spin", recipeFiles.spin, tracker, listFlags(spinFlags, options.flags?.spin)));

    const names = ["M1", ...Array.from({ length: recipe.config.num_iterations }, (_, i) => `M${i + 2}`)];
    const { written, sides, spin } = await runStage("report", async (tracker) => {
      const first = join(rewarding, "M1", "model");
      const models = {
        base,
        // M1 grades all of them: a judge that was tuned itself would say what it was tuned to say.
        score: (sampled: readonly Sampled[]) => gradeTexts(first, rubricFile, sampled),
      };
      const all = [];
      for (const name of names) {
        const sampled = await sample(join(rewarding, name, "model"), openings.heldOut, tracker, settings);
        all.push({ sampled, side: await measureCompletions(sampled, models) });
      }
      const played = await measureCompletions(await sample(spinning, openings.heldOut, tracker, settings), models);
      return { written: all.map(({ sampled }) => sampled), sides: all.map(({ side }) => side), spin: played };
    });
    directory.samples(sides.flatMap((side, i) => listSamples(i + 1, "judge", written[i], side)));

    const [before, after] = [sides[0], sides[sides.length - 1]];
    const report: SelfPlayReport = {
      path: "self-play",
      seed,
      seconds: sumSeconds(stages),
      stages,
      judge,
      before: { ...before.summary, kl: before.kl },
      after: { ...after.summary, kl: after.kl },
      iterations: sides.map(({ summary }, i) => pickFigures(names[i], summary)),
      spin: { ...pickFigures("SPIN", spin.summary), perplexity: spin.summary.perplexity, gains: await readGains(spinning) },
      samples: pickSamples(written[0], written[written.length - 1]),
    };
    const files = { json: join(outputDir, "report.json"), markdown: join(outputDir, "report.md"), html: join(outputDir, "report.html") };
    await writeFile(files.json, `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(files.markdown, renderSelfPlayMarkdown(report));
    await writeFile(files.html, renderSelfPlayHtml({ report, sides, completions: written, version: options.version }));
    return { report, files };
  });
}

/** People's sentences as an opening of two to four words and what they wrote after it; too short ones are left out. */
export function splitTexts(sentences: readonly Sentence[], seed: number): { prompt: string; completion: string }[] {
  const random = new Random(seed);
  return sentences.flatMap(({ text }) => {
    const words = text.split(" ");
    const count = 2 + random.integer(3);
    return words.length < count + 3 ? [] : [{ prompt: words.slice(0, count).join(" "), completion: ` ${words.slice(count).join(" ")}` }];
  });
}

function listFlags(keys: { readonly [key: string]: string }, more: readonly string[] = []): string[] {
  return [...Object.entries(keys).flatMap(([key, value]) => [`--${key}`, value]), ...more];
}

function pickFigures(name: string, summary: SelfPlayReport["before"]): IterationReport {
  const { outside_positive_share, outside_interval, mean_length, distinct_2 } = summary;
  return { name, outside_positive_share, outside_interval, mean_length, distinct_2 };
}

async function readGains(folder: string): Promise<{ gain: number; accuracy: number }[]> {
  const rows = (await readFile(join(folder, "metrics.jsonl"), "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [metric: string]: number });
  return rows.map((row) => ({ gain: row["gain/gain"], accuracy: row["gain/accuracy"] }));
}
