import { expect, test } from "vitest";
import { dpoConfigSchema } from "./dpo-config.ts";

const problems = (keys: { [key: string]: unknown }): string[] => {
  const result = dpoConfigSchema.safeParse({ model_name_or_path: "m", dataset_name: "d", ...keys });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
};

test("has TRL's defaults, and takes one loss or a list", () => {
  const config = dpoConfigSchema.parse({ model_name_or_path: "m", dataset_name: "d" });
  expect(config).toMatchObject({ loss_type: ["sigmoid"], loss_weights: null, beta: 0.1, learning_rate: 1e-6, max_length: 1024 });
  expect(config).toMatchObject({ ref_model_mixup_alpha: 0.6, ref_model_sync_steps: 512, discopop_tau: 0.05, f_alpha_divergence_coef: 0.5 });
  const losses = (loss_type: unknown): readonly string[] =>
    dpoConfigSchema.parse({ model_name_or_path: "m", dataset_name: "d", loss_type }).loss_type;
  expect([losses("ipo"), losses(["sigmoid", "sft"]), losses("sigmoid,sft"), losses('["hinge"]')]).toEqual([
    ["ipo"],
    ["sigmoid", "sft"],
    ["sigmoid", "sft"],
    ["hinge"],
  ]);
});

test("refuses what does not go together, and says why", () => {
  expect(problems({ loss_type: "dpo" })[0]).toMatch(/^loss_type/);
  // The whole text, not its first letter.
  for (const loss_type of ["sigmiod", ["sigmiod"]])
    expect(problems({ loss_type })[0]).toMatch(/^loss_type: expected one or more of sigmoid, .*, found sigmiod$/);
  expect(problems({ loss_type: [] })[0]).toMatch(/^loss_type/);
  expect(problems({ loss_type: ["sigmoid", "sft"], loss_weights: [1] })).toEqual([
    "loss_weights: expected a weight for each loss (2), found 1",
  ]);
  expect(problems({ loss_type: "nca_pair", f_divergence_type: "forward_kl" })[0]).toContain("expected reverse_kl: nca_pair looks at");
  expect(problems({ loss_type: "aot", use_weighting: true })[0]).toContain("the terms of aot do not belong to single pairs");
  expect(problems({ loss_type: "exo_pair" })[0]).toContain("exo_pair needs a label_smoothing between 0 and 1");
  expect(problems({ loss_type: "exo_pair", label_smoothing: 1e-3 })).toEqual([]);
  expect(problems({ loss_type: "robust", label_smoothing: 0.5 })).toEqual(["label_smoothing: expected below 0.5 for robust, found 0.5"]);
  expect(problems({ sync_ref_model: true, precompute_ref_log_probs: true })[0]).toContain("expected precompute_ref_log_probs: false");
  expect(problems({ ld_alpha: 1.5 })[0]).toMatch(/^ld_alpha/);
});
