/** The course of a PPO run, from its metrics.jsonl. */
import type { Curve } from "../report/index.ts";

export type Curves = readonly Curve[];

const wanted = [
  { keys: ["objective/scores"], title: "Reward", meaning: "mean score by the reward model" },
  { keys: ["objective/kl"], title: "KL", meaning: "distance from the untuned model, nats a completion" },
  { keys: ["objective/completion_length", "completions/mean_length"], title: "Length", meaning: "tokens a completion" },
  { keys: ["loss/policy_avg"], title: "Policy loss", meaning: "clipped objective; near zero by construction" },
  { keys: ["loss/value_avg"], title: "Value loss", meaning: "error of the value head" },
  { keys: ["objective/entropy"], title: "Entropy", meaning: "how undecided the policy is, nats" },
];

/** `x` counts episodes where the run does, else steps. Curves without any point are left out. */
export function parseCurves(metricsJsonl: string): Curves {
  const rows = metricsJsonl
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [name: string]: number });
  return wanted
    .map(({ keys, title, meaning }) => ({
      title,
      meaning,
      points: rows.flatMap((row) => {
        const key = keys.find((name) => Number.isFinite(row[name]));
        return key === undefined ? [] : [{ x: row["episode"] ?? row["step"], y: row[key] }];
      }),
    }))
    .filter(({ points }) => points.length > 1);
}
