/** Numbers of a recipe that run but hardly mean what they say. */
import type { ResolvedRecipe } from "../recipes/index.ts";
import type { Finding } from "./finding.ts";

/** Learning rates between which full fine-tuning by AdamW usually works. */
const usualRates = {
  pretrain: [1e-5, 1e-2],
  sft: [1e-7, 1e-3],
  reward: [1e-7, 1e-3],
  ppo: [1e-8, 1e-3],
  dpo: [1e-8, 1e-3],
  "self-rewarding": [1e-8, 1e-3],
  spin: [1e-8, 1e-3],
} as const;

/** `steps`: optimizer steps of the whole run. */
export function checkSettings(recipe: ResolvedRecipe, steps: number): Finding[] {
  const { method, config } = recipe;
  const findings: Finding[] = [];
  const rate = config.learning_rate;
  const [low, high] = usualRates[method];
  if (rate === 0) {
    findings.push({
      code: "doctor/learning-rate",
      level: "error",
      found: "learning_rate is 0",
      why: "no weight ever changes",
      action: `set one between ${low} and ${high}`,
    });
  } else if (rate > high || rate < low) {
    const why =
      rate > high
        ? "steps this large usually destroy what the model knows, or the loss becomes infinite"
        : "the weights hardly move in float32";
    findings.push({
      code: "doctor/learning-rate",
      level: "warning",
      found: `learning_rate ${rate} is ${rate > high ? "above" : "below"} what ${method} usually takes (${low} to ${high})`,
      why,
      action: "check the exponent",
    });
  }
  const warmup =
    config.warmup_steps > 0
      ? config.warmup_steps < 1
        ? Math.ceil(config.warmup_steps * steps)
        : config.warmup_steps
      : Math.ceil((config.warmup_ratio ?? 0) * steps);
  if (warmup > 0 && warmup >= steps) {
    findings.push({
      code: "doctor/warmup",
      level: "warning",
      found: `warm-up takes ${warmup} of ${steps} steps`,
      why: "the learning rate never reaches its peak",
      action: "lower warmup_steps or warmup_ratio, or train longer",
    });
  }
  if (config.logging_strategy === "steps" && config.logging_steps > steps) {
    findings.push({
      code: "doctor/nothing-logged",
      level: "warning",
      found: `logging_steps is ${config.logging_steps} and the run has ${steps} steps`,
      why: "no loss is ever written",
      action: "lower logging_steps",
    });
  }
  if (method === "ppo" && config.stop_token === null && config.stop_token_id === null) {
    findings.push({
      code: "doctor/no-stop-token",
      level: config.missing_eos_penalty === null ? "note" : "warning",
      found: `stop_token is not set${config.missing_eos_penalty === null ? "" : ", but missing_eos_penalty is"}`,
      why: "completions are not cut at the end token, so text after it is scored and trained on too",
      action: "set stop_token: eos",
    });
  }
  return findings;
}
