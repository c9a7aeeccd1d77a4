/** What spar's benchmark scripts share: arguments like the peers', and the one JSON line that each prints. */
import { parseArgs } from "node:util";

/** `--model DIR --threads 2 --steps N --warmup N` and the script's own numbers. */
export function readArguments(defaults) {
  const options = { model: { type: "string" } };
  for (const [name, value] of Object.entries({ threads: 2, steps: 3, warmup: 1, ...defaults }))
    options[name] = { type: "string", default: String(value) };
  const { values } = parseArgs({ options });
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, name === "model" ? value : Number(value)]));
}

/** Seconds of each measured call, after the warm-up calls. */
export async function timeSteps(step, { steps, warmup }) {
  const seconds = [];
  for (let i = 0; i < warmup + steps; i++) {
    const start = performance.now();
    await step(i);
    if (i >= warmup) seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** `tokens` of one step; `gflop` of one step where it is known. */
export function report(bench, seconds, { tokens, gflop, settings, ...more }) {
  const typical = median(seconds);
  console.log(
    JSON.stringify({
      bench,
      side: "spar",
      seconds_per_step: typical,
      tokens_per_second: tokens / typical,
      ...(gflop === undefined ? {} : { gflop, gflop_per_second: gflop / typical }),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
      steps: seconds.length,
      all_seconds: seconds,
      ...more,
      settings,
    }),
  );
}
