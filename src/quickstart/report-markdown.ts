/** report.md: the same report for readers of text. */
import { escapeCell, formatShare } from "../report/index.ts";
import { judgeReport, listFigures, type RLHFReport } from "./report.ts";

const shownSamples = 8;

export function renderMarkdown(report: RLHFReport): string {
  const { reward_model: rewardModel, samples, seed, seconds, stages } = report;
  const verdict = judgeReport(report);
  return [
    `# spar quickstart, seed ${seed}`,
    "",
    `**${verdict.headline}** ${verdict.reason}`,
    "",
    "| 256 openings, not trained on | before | after | |",
    "|---|---|---|---|",
    ...listFigures(report).map(({ name, before, after, meaning }) => `| ${name} | ${before} | ${after} | ${meaning} |`),
    "",
    `The reward model learnt from ${rewardModel.train_pairs.toLocaleString("en")} comparisons of sentences that people labelled; on ${rewardModel.heldout_pairs} comparisons of sentences that it has not seen it is right in ${formatShare(rewardModel.heldout_accuracy)}.`,
    "",
    "## Samples",
    "",
    "The first openings of the held-out ones, which are in random order; temperature 1, the same random numbers before and after.",
    "",
    "| opening | before | after |",
    "|---|---|---|",
    ...samples
      .slice(0, shownSamples)
      .map((sample) => `| ${escapeCell(sample.prompt)} | ${escapeCell(sample.before)} | ${escapeCell(sample.after)} |`),
    "",
    "## Time",
    "",
    `${seconds.toFixed(0)} seconds: ${stages.map((stage) => `${stage.name} ${stage.seconds.toFixed(0)}`).join(", ")}.`,
    "",
  ].join("\n");
}
