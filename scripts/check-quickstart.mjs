/**
 * Checks what a quickstart left behind against the bars it must meet:
 *   node scripts/check-quickstart.mjs [REPORT.json | FOLDER] [--seed N] [--path rlhf | self-play]
 * Without a path: the newest runs/quickstart*. Ends with `N passed, N failed`; exit 1 when a bar is missed.
 */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bootstrap.mjs";

const sides = ["mean_score", "outside_positive_share", "outside_interval", "perplexity", "mean_length", "distinct_2"];

/** Every bar as `[what, holds, found]`, from a parsed report.json of either path. */
export function checkReport(report, { seed, path = "rlhf" } = {}) {
  const { before = {}, after = {}, stages = [], samples = [] } = report;
  const gain = after.outside_positive_share - before.outside_positive_share;
  const ratio = after.perplexity / before.perplexity;
  const staged = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const absent = sides.flatMap((key) =>
    [before[key] === undefined ? `before.${key}` : [], after[key] === undefined ? `after.${key}` : []].flat(),
  );
  return [
    [`the path is ${path}`, report.path === path, report.path],
    ["the seed is the one asked for", seed === undefined || report.seed === seed, report.seed],
    ["before and after have every figure", absent.length === 0, absent.length === 0 ? "all there" : `missing: ${absent.join(", ")}`],
    ["perplexity at most 1.5 times the base model's", ratio <= 1.5, `${before.perplexity} -> ${after.perplexity} (x ${round(ratio)})`],
    [
      "distinct bigrams at least half of the base model's",
      after.distinct_2 >= 0.5 * before.distinct_2,
      `${before.distinct_2} -> ${after.distinct_2}`,
    ],
    ["seconds are the sum of the stages", Math.abs(staged - report.seconds) < 1, `${report.seconds} s, stages ${round(staged)} s`],
    ["kl is a positive number", after.kl > 0 && Number.isFinite(after.kl), after.kl],
    [
      "samples show before and after",
      samples.length > 0 && samples.every((sample) => sample.before !== sample.after),
      `${samples.length} samples`,
    ],
    ...(path === "self-play" ? checkSelfPlay(report) : checkRLHF(report, gain)),
  ];
}

function checkRLHF({ before = {}, after = {}, seconds, reward_model: rewardModel = {} }, gain) {
  return [
    ["outside positive share up by 0.25 or more", gain >= 0.25, `${before.outside_positive_share} -> ${after.outside_positive_share}`],
    ["under 180 seconds of work", seconds < 180, `${seconds} s`],
    ["the reward model beats chance on held-out pairs", rewardModel.heldout_accuracy > 0.5, rewardModel.heldout_accuracy],
  ];
}

/** M1 is before, the last model is after. */
function checkSelfPlay({ before = {}, after = {}, seconds, judge = {}, iterations = [], reward_model: rewardModel }) {
  const share = "outside_positive_share";
  const [low, high] = intervalOfGain(before, after);
  const names = iterations.map(({ name }) => name).join(", ");
  const [first, last] = [iterations[0] ?? {}, iterations.at(-1) ?? {}];
  return [
    ["outside positive share up by 0.1 or more", after[share] - before[share] >= 0.1, `${before[share]} -> ${after[share]}`],
    ["the 95 % interval of the gain is above 0", low > 0, `${round(low)} to ${round(high)}`],
    [
      "the judge agrees with people on 75 % of unseen sentences or more",
      judge.heldout_accuracy >= 0.75,
      `${judge.heldout_accuracy} of ${judge.heldout_n}`,
    ],
    [
      "iterations run from M1 to the last model",
      names.startsWith("M1, M2, M3") && first[share] === before[share] && last[share] === after[share],
      names,
    ],
    ["every iteration has length and diversity", iterations.every((row) => row.mean_length > 0 && row.distinct_2 > 0), names],
    ["there is no reward model", rewardModel === undefined, rewardModel],
    ["under 300 seconds of work", seconds < 300, `${seconds} s`],
  ];
}

/** Newcombe's (1998) 95 % interval of the gain in outside share, as evaluation/interval.ts has it; a script needs no build. */
export function intervalOfGain(before, after) {
  const [p, q] = [before.outside_positive_share, after.outside_positive_share];
  const [[lowP, highP], [lowQ, highQ]] = [before.outside_interval ?? [NaN, NaN], after.outside_interval ?? [NaN, NaN]];
  return [q - p - Math.hypot(q - lowQ, highP - p), q - p + Math.hypot(highQ - q, p - lowP)];
}

const round = (number) => Math.round(number * 1000) / 1000;

/** The newest report.json below runs/, or undefined. */
function findNewestReport(folder) {
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => /^quickstart(-\d+)?$/.test(name))
    .map((name) => join(folder, name, "report.json"))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

function main() {
  const { values, positionals } = parseArgs({
    options: { seed: { type: "string" }, path: { type: "string", default: "rlhf" } },
    allowPositionals: true,
  });
  const given = positionals[0] === undefined ? undefined : resolve(positionals[0]);
  const path =
    given === undefined ? findNewestReport(join(root, "runs")) : basename(given) === "report.json" ? given : join(given, "report.json");
  if (path === undefined || !existsSync(path)) {
    console.log(`no report found at ${path ?? "runs/quickstart*"}: run \`npm run quickstart\` first`);
    console.log("0 passed, 1 failed");
    return 1;
  }
  console.log(path);
  const bars = checkReport(JSON.parse(readFileSync(path, "utf8")), {
    seed: values.seed === undefined ? undefined : Number(values.seed),
    path: values.path,
  });
  for (const page of ["report.md", "report.html"]) bars.push([`${page} is beside it`, existsSync(join(dirname(path), page)), page]);
  for (const [what, holds, found] of bars) console.log(`${holds ? "ok  " : "FAIL"} ${what} (${found})`);
  const failed = bars.filter(([, holds]) => !holds).length;
  console.log(`${bars.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith("check-quickstart.mjs")) process.exitCode = main();
