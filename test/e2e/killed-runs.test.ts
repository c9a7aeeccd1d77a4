/** A reward model's and a PPO run, killed without warning in their own processes: resumed, they end with the bytes of a run left alone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test, vi } from "vitest";
import { createWorkplace, findDifferences, fixtures, readFixtureRows, readTree, tinyModel } from "../invariants/tiny-run.ts";
import { runSpar, startSpar } from "./spar.ts";

vi.setConfig({ testTimeout: 300_000 });

const place = createWorkplace();
afterAll(() => place.remove());

const score = join(fixtures, "models", "stories260K-score");
const pairs = place.writeRows("pairs.jsonl", readFixtureRows("reward", 0, 24));
const prompts = place.writeRows(
  "prompts.jsonl",
  readFixtureRows("sft", 0, 16).map((row) => ({ prompt: String(row["prompt"] ?? row["text"]).slice(0, 40) })),
);
const shared = "logging_steps: 1\nsave_steps: 2\nsave_total_limit: 2\nlearning_rate: 1.0e-3\ngradient_checkpointing: false\n";
const recipes = {
  reward: `model_name_or_path: ${score}
dataset_name: ${pairs}
max_length: 128
per_device_train_batch_size: 4
max_steps: 10
${shared}`,
  // A value head and a KL coefficient that moves: both are states that a checkpoint must hold.
  ppo: `sft_model_path: ${tinyModel}
reward_model_path: ${score}
dataset_name: ${prompts}
response_length: 8
per_device_train_batch_size: 4
num_mini_batches: 1
num_ppo_epochs: 2
max_steps: 8
adap_kl_ctrl: true
kl_target: 0.5
use_score_scaling: true
stop_token: eos
${shared}`,
};

test.each(Object.entries(recipes))("%s", async (method, text) => {
  const recipe = place.path(`${method}.yaml`);
  writeFileSync(recipe, text);
  const words = (name: string): string[] => [method, "--config", recipe, "--output_dir", place.path(method, name), "--resume"];
  const whole = await runSpar(words("whole"));
  expect(whole.code, whole.stderr).toBe(0);

  // After the first step, in or after the first checkpoint's writing, and at a moment that chance chooses.
  for (const said of ["step 1 ", "saved", "going on after"]) {
    const { child, finished, waitFor } = startSpar(words("killed"));
    await Promise.race([waitFor(said).catch(() => {}), finished]);
    await sleep(200 * Math.random());
    child.kill("SIGKILL");
    await finished;
  }
  const last = await runSpar(words("killed"));
  expect(last.code, last.stderr).toBe(0);
  // Not events (time) and run.json (id, pid), nor the folder's own name.
  const outcome = (name: string): ReadonlyMap<string, Buffer> =>
    readTree(place.path(method, name), { except: /^(events\.jsonl|system\.jsonl|run\.json|config\.yaml|runs\/)/ });
  expect([...outcome("whole").keys()]).toEqual(expect.arrayContaining(["metrics.jsonl", "model.safetensors"]));
  expect(findDifferences(outcome("whole"), outcome("killed"))).toEqual([]);
});
