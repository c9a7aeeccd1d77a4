/** No subfolder of a parity folder is passed over in silence. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { findModelFolder, inferRunMethod, listModels, listRl, listRuns, listUnknown } from "./parity/folder.ts";

const own = fileURLToPath(new URL("./fixtures/parity", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-parity-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

const put = (path: string, text: string): void => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const reasons = (cases: readonly { name: string; skipped: string | undefined }[]): object =>
  Object.fromEntries(cases.map(({ name, skipped }) => [name, skipped ?? "compared"]));

test("models are told by their type, whatever the folder is called; the others are skipped by name", () => {
  cpSync(join(own, "models/gpt2"), join(folder, "models/some_b"), { recursive: true });
  put("models/gemma3/config.json", JSON.stringify({ model_type: "gemma3_text" }));
  put("models/gemma3/expected.safetensors", "");
  put("models/score/config.json", JSON.stringify({ model_type: "llama" }));
  expect(reasons(listModels(folder))).toEqual({
    some_b: "compared",
    gemma3: "the architecture gemma3_text has no counterpart yet",
    score: "it has no expected.safetensors",
  });
  expect(findModelFolder("stories260K", folder)).toBe(join(own, "models/stories260K"));
});

test("runs are told by their name's words, config or log", () => {
  cpSync(join(own, "runs/sft"), join(folder, "runs/sft_other"), { recursive: true });
  cpSync(join(own, "runs/reward"), join(folder, "runs/x"), { recursive: true });
  cpSync(join(own, "runs/sft"), join(folder, "runs/sft_lora"), { recursive: true });
  mkdirSync(join(folder, "runs/sft_lora/adapter_init"));
  cpSync(join(own, "runs/sft"), join(folder, "runs/kto"), { recursive: true });
  put("runs/torn/config.yaml", "");
  expect(reasons(listRuns(folder))).toEqual({
    sft_other: "compared",
    x: "compared",
    sft_lora: "adapters (LoRA) have no counterpart yet",
    kto: "the method kto has no counterpart yet",
    torn: "it has no data.jsonl, log.jsonl",
  });
  expect(listRuns(folder).map(({ name, method, model }) => [name, method, model])).toContainEqual(["x", "reward", "stories260K-score"]);

  expect(inferRunMethod("a", "method: 'dpo'\n", [])).toBe("dpo");
  expect(inferRunMethod("seed-3-dpo_hinge", "", [])).toBe("dpo");
  expect(inferRunMethod("a", "loss_type: simpo", ["nll_loss"])).toBe("simpo");
  expect(inferRunMethod("a", "", ["kl", "rewards/margins"])).toBe("kto");
  expect(inferRunMethod("a", "", ["log_odds_ratio", "nll_loss"])).toBe("orpo");
  expect(inferRunMethod("a", "", ["nll_loss"])).toBe("cpo");
  expect(inferRunMethod("a", "", ["rewards/margins", "mean_token_accuracy"])).toBe("dpo");
  expect(inferRunMethod("a", "", ["loss", "mean_token_accuracy"])).toBe("sft");
  expect(inferRunMethod("a", "", ["loss"])).toBeUndefined();
});

test("rl/ and unknown kinds", () => {
  cpSync(join(own, "rl/ppo_update"), join(folder, "rl/second"), { recursive: true });
  cpSync(join(own, "rl/ppo.json"), join(folder, "rl/ppo_seed2.json"));
  put("rl/other.json", "{}");
  for (const file of ["config.yaml", "rollouts.jsonl"]) put(`rl/grpo_bnpo/${file}`, "");
  put("rl/grpo_bnpo/log.jsonl", '{"loss":1}\n');
  expect(reasons(listRl(folder))).toEqual({
    second: "compared",
    "ppo_seed2.json": "compared",
    "other.json": "it does not hold PPO's arrays",
    grpo_bnpo: "grpo updates have no counterpart yet",
  });
  put("speech/a", "");
  expect(reasons(listUnknown(folder))).toEqual({ speech: "not one of models, rl, runs" });
  // A folder that is not there has no cases; it is not an error.
  expect([listModels(join(folder, "none")), listRuns(join(folder, "none")), listRl(join(folder, "none"))]).toEqual([[], [], []]);
});
