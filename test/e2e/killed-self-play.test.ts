/** Self-rewarding and SPIN, killed without warning in their own processes: resumed, they end with the bytes of a run left alone. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { createWorkplace, findDifferences, readTree } from "../invariants/tiny-run.ts";
import { runSpar, startSpar } from "./spar.ts";

vi.setConfig({ testTimeout: 120_000 });

const place = createWorkplace();
afterAll(() => place.remove());

const shared = `model_name_or_path: ${fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url))}
dataset_name: ${place.writeRows(
  "data.jsonl",
  Array.from({ length: 20 }, (_, i) => ({ prompt: `the film number ${i}`, completion: ` is a work of art and of ${i} ideas .` })),
)}
num_eval_prompts: 4
temperature: 1
max_new_tokens: 8
max_length: 48
generation_batch_size: 4
per_device_train_batch_size: 4
num_train_epochs: 1
learning_rate: 1.0e-3
gradient_checkpointing: false
logging_steps: 1
save_steps: 1
seed: 7
`;

// A file that is there once a stage has begun, and before it is done: the metrics of a training, half of the pairs.
test.each([
  {
    method: "self-rewarding",
    keys: "reward_funcs: [rule:length]\nnum_candidates: 4\nnum_iterations: 1\n",
    moment: "M2/model/metrics.jsonl",
    files: ["M2/candidates.jsonl", "M2/judgements.jsonl", "M2/pairs.jsonl", "M2/watch.jsonl", "model.safetensors"],
  },
  {
    method: "spin",
    keys: "num_iterations: 1\nstop_accuracy: 0\n",
    moment: "iteration-0/pairs.jsonl.part",
    files: ["iteration-0/pairs.jsonl", "iteration-0/eval-pairs.jsonl", "model.safetensors"],
  },
])("$method", async ({ method, keys, moment, files }) => {
  const recipe = place.path(`${method}.yaml`);
  writeFileSync(recipe, shared + keys);
  const words = (name: string): string[] => [method, "--config", recipe, "--output_dir", place.path(method, name), "--resume"];
  const whole = await runSpar(words("whole"));
  expect(whole.code, whole.stderr).toBe(0);

  const { child, finished } = startSpar(words("killed"));
  let ended = false;
  void finished.then(() => (ended = true));
  while (!ended && !existsSync(join(place.path(method, "killed"), moment))) await sleep(5);
  child.kill("SIGKILL");
  expect((await finished).code, `${moment}: it ended before it was killed`).toBeNull();
  expect(existsSync(join(place.path(method, "killed"), "model.safetensors"))).toBe(false);
  const last = await runSpar(words("killed"));
  expect(last.code, last.stderr).toBe(0);
  // Not what holds times, ids and the folder's own name.
  const outcome = (name: string): ReadonlyMap<string, Buffer> =>
    readTree(place.path(method, name), {
      except:
        /^metrics\.jsonl$|(^|\/)(events\.jsonl|system\.jsonl|run\.json|config\.yaml|stages\.json|runs\/)|\/checkpoint-|-training\.json$/,
    });
  expect([...outcome("whole").keys()]).toEqual(expect.arrayContaining(files));
  expect(findDifferences(outcome("whole"), outcome("killed"))).toEqual([]);
});
