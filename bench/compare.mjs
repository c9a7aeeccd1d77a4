/**
 * Runs spar's side and the peer's in turn, several times, and prints the ratios.
 *
 *   node bench/compare.mjs --model DIR --python PY [--ppo-python PY] [--rounds 3] [--only sft,reward] [--threads 2]
 *
 * A ratio is the peer's seconds over spar's, of the medians over all rounds; memory is the highest of any round.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { median } from "./measure.mjs";

const { values: args } = parseArgs({
  options: {
    model: { type: "string" },
    python: { type: "string" },
    "ppo-python": { type: "string" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    only: { type: "string" },
  },
});
if (args.model === undefined || args.python === undefined)
  throw new Error("expected --model DIR and --python PY, the interpreter that setup.py made");

const pairs = [
  { name: "forward-backward", spar: ["forward-backward.mjs"], peer: ["forward_backward.py"] },
  { name: "sft", spar: ["sft.mjs"], peer: ["sft.py"] },
  { name: "reward", spar: ["reward.mjs"], peer: ["reward.py"] },
  { name: "dpo", spar: ["dpo.mjs"], peer: ["dpo.py"] },
  ...[1, 8, 32].map((batch) => ({
    name: `generate-${batch}`,
    spar: ["generate.mjs", "--batch", String(batch)],
    peer: ["generate.py", "--batch", String(batch)],
  })),
  ...(args["ppo-python"] === undefined
    ? []
    : [{ name: "ppo", spar: ["ppo.mjs", "--separate", "1"], peer: ["ppo.py"], python: args["ppo-python"] }]),
].filter(({ name }) => args.only === undefined || args.only.split(",").includes(name));

const shared = ["--model", args.model, "--threads", args.threads];
const here = import.meta.dirname;
const results = [];
for (const { name, spar, peer, python } of pairs) {
  const sides = { spar: [], peer: [] };
  for (let round = 0; round < Number(args.rounds); round++) {
    sides.spar.push(runSide(process.execPath, [`${here}/${spar[0]}`, ...spar.slice(1), ...shared]));
    sides.peer.push(runSide(python ?? args.python, [`${here}/peers/${peer[0]}`, ...peer.slice(1), ...shared]));
  }
  const seconds = (side) => median(sides[side].flatMap((line) => line.all_seconds));
  const memory = (side) => Math.max(...sides[side].map((line) => line.peak_rss_mb));
  results.push({
    bench: name,
    "spar s": round3(seconds("spar")),
    "peer s": round3(seconds("peer")),
    ratio: round3(seconds("peer") / seconds("spar")),
    "spar MB": memory("spar"),
    "peer MB": memory("peer"),
  });
  console.error(JSON.stringify(results.at(-1)));
}
console.table(Object.fromEntries(results.map(({ bench, ...row }) => [bench, row])));

function runSide(command, commandArgs) {
  const { status, stdout, stderr } = spawnSync(command, commandArgs, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${command} ${commandArgs.join(" ")} failed (${status}):\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

function round3(x) {
  return Math.round(x * 1000) / 1000;
}
