/**
 * Three seeds of the self-play quickstart, one after the other, as a table (docs/self-play.md quotes it):
 *   npm run build && node bench/self-play-quickstart.mjs [SEED …]
 * Exit 1 where a seed misses a bar of scripts/check-quickstart.mjs.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkReport, intervalOfGain } from "../scripts/check-quickstart.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const seeds = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 3];
const percent = (share) => `${(100 * share).toFixed(0)} %`;

console.log(`${cpus().length} cores, ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}\n`);
console.log(
  "| seed | judge, held out | positive M1 | M2 | M3 | gain (95 %) | perplexity M1 | M3 | ratio | length M1 | M3 | SPIN positive | its gains | seconds |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
let missed = 0;
for (const seed of seeds) {
  const folder = mkdtempSync(join(tmpdir(), "spar-quickstart-"));
  try {
    const words = ["quickstart", "--path", "self-play", "--seed", String(seed), "--output-dir", folder, "--json"];
    const { status, stdout } = spawnSync(process.execPath, [join(root, "dist/cli/main.js"), ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      maxBuffer: 1 << 28,
    });
    if (status !== 0) throw new Error(`seed ${seed}: spar quickstart ended with exit code ${status}`);
    const report = JSON.parse(stdout);
    const { before, after, iterations, judge, spin, seconds } = report;
    const failed = checkReport(report, { seed, path: "self-play" }).filter(([, holds]) => !holds);
    if (failed.length > 0) missed++;
    const [low, high] = intervalOfGain(before, after).map((gain) => (100 * gain).toFixed(0));
    const cells = [
      seed,
      percent(judge.heldout_accuracy),
      ...iterations.map((row) => percent(row.outside_positive_share)),
      `${(100 * (after.outside_positive_share - before.outside_positive_share)).toFixed(0)} points (${low} to ${high})`,
      before.perplexity.toFixed(1),
      after.perplexity.toFixed(1),
      (after.perplexity / before.perplexity).toFixed(2),
      before.mean_length.toFixed(1),
      after.mean_length.toFixed(1),
      percent(spin.outside_positive_share),
      spin.gains.map(({ gain }) => gain.toFixed(2)).join(", "),
      seconds.toFixed(0),
    ];
    console.log(`| ${cells.join(" | ")} |`);
    for (const [what, , found] of failed) console.log(`\nseed ${seed} misses: ${what} (${found})`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`\n${seeds.length - missed} of ${seeds.length} seeds meet every bar`);
process.exitCode = missed === 0 ? 0 : 1;
