/**
 * Three seeds of the quickstart, one after the other, as a table (docs/quickstart.md quotes it):
 *   npm run build && node bench/quickstart.mjs [SEED …]
 * Exit 1 where a seed misses a bar: outside positive share up by 25 points, perplexity at most 1.5 times the untuned model's own.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const seeds = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 3];
const leastGain = 0.25;
const mostRatio = 1.5;

const percent = (share) => `${(100 * share).toFixed(0)} %`;
const interval = ([low, high]) => `${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)}`;

console.log(`${cpus().length} cores, ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}\n`);
console.log(
  "| seed | reward model, held out | positive before | after | gain | perplexity before | after | ratio | distinct bigrams before | after | KL | seconds |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|");
let missed = 0;
for (const seed of seeds) {
  const folder = mkdtempSync(join(tmpdir(), "spar-quickstart-"));
  try {
    const command = [join(root, "dist/cli/main.js"), "quickstart", "--seed", String(seed), "--output-dir", folder, "--json"];
    const { status, stdout } = spawnSync(process.execPath, command, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      maxBuffer: 1 << 28,
    });
    if (status !== 0) throw new Error(`seed ${seed}: spar quickstart ended with exit code ${status}`);
    const { before, after, reward_model: rewardModel, seconds } = JSON.parse(stdout);
    const gain = after.outside_positive_share - before.outside_positive_share;
    const ratio = after.perplexity / before.perplexity;
    if (gain < leastGain || ratio > mostRatio) missed++;
    const cells = [
      seed,
      percent(rewardModel.heldout_accuracy),
      `${percent(before.outside_positive_share)} (${interval(before.outside_interval)})`,
      `${percent(after.outside_positive_share)} (${interval(after.outside_interval)})`,
      `${(100 * gain).toFixed(0)} points`,
      before.perplexity.toFixed(1),
      after.perplexity.toFixed(1),
      ratio.toFixed(2),
      percent(before.distinct_2),
      percent(after.distinct_2),
      after.kl.toFixed(1),
      seconds.toFixed(0),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`\n${seeds.length - missed} of ${seeds.length} seeds meet both bars`);
process.exitCode = missed === 0 ? 0 : 1;
