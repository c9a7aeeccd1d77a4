import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { problemsOf } from "../../test/recipe-problems.ts";
import { loadRecipe } from "./load.ts";

test("files that are not there come with all other errors, each with its place; hub ids are left to the hub", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-recipe-"));
  const path = join(folder, "r.yaml");
  const here = (name: string): string => join(folder, name);
  writeFileSync(here("there.jsonl"), '{"text": "a"}\n');
  writeFileSync(
    path,
    `model_name_or_path: ${here("there.jsonl")}
reward_funcs: [${here("none.mjs")}, "rule:length", org/scorer]
datasets:
  - path: json
    data_files: ${here("none.jsonl")}
  - path: json
    data_files: [${here("there.jsonl")}]
reward_weights: [1]
learning_rate: fast
`,
  );
  const load = (...flags: string[]): Promise<unknown> => loadRecipe({ method: "ppo", configPath: path, flags });
  expect(await problemsOf(load())).toEqual([
    `${path}:1: model_name_or_path: Loading the model ${JSON.stringify(here("there.jsonl"))}: expected a folder or a .gguf file, found another file.`,
    `${path}:2: reward_funcs[0]: there is no file ${here("none.mjs")}`,
    `${path}:5: datasets[0]: ${here("none.jsonl")} does not exist`,
    `${path}:8: reward_weights: expected a weight for each reward (3), found 1`,
    `${path}:9: learning_rate: expected a number (at least 0), found "fast"`,
  ]);
  await expect(load()).rejects.toMatchObject({ hint: expect.stringContaining("There is no folder org/scorer here") });
  // A path is no wrong flag: still an error of the recipe.
  expect(await problemsOf(loadRecipe({ method: "sft", flags: ["--model_name_or_path", "gpt2", "--dataset_name", "none.jsonl"] }))).toEqual([
    "--dataset_name: none.jsonl does not exist",
  ]);
  const { config } = await loadRecipe({ method: "sft", flags: ["--model_name_or_path", "gpt2", "--dataset_name", "org/data"] });
  expect(config.dataset_name).toBe("org/data");
});

test("what judges need and is not there comes with all other errors", async () => {
  const flags = {
    model_name_or_path: "gpt2",
    dataset_name: "org/data",
    judge: "rule:nope",
    judge_rubric: "nope.md",
    outside_judge: "model:./no/judge",
    outside_judge_rubric: "none.md",
    outside_judge_api_key_file: "no.key",
    reward_weights: "1,2",
  };
  const load = loadRecipe({ method: "self-rewarding", flags: Object.entries(flags).flatMap(([key, value]) => [`--${key}`, value]) });
  expect((await problemsOf(load, "usage/invalid")).sort()).toEqual([
    expect.stringMatching(/^--judge: rule:nope: there is no such rule/),
    expect.stringMatching(/^--judge_rubric: Reading the rubric nope\.md/),
    expect.stringMatching(/^--outside_judge: .*\.\/no\/judge/),
    "--outside_judge_api_key_file: expected outside_judge: openai:… with it",
    "--outside_judge_api_key_file: there is no file no.key",
    expect.stringMatching(/^--outside_judge_rubric: Reading the rubric none\.md/),
    expect.stringMatching(/^--reward_weights: expected a weight for each reward \(0\), found 2/),
  ]);
});

test("a folder without a model is told at the start, and what lies inside an invalid list of data sets", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-recipe-"));
  const here = (name: string): string => join(folder, name);
  for (const name of ["empty", "broken/checkpoint-8", "broken/checkpoint-12", "pickle", "whole"])
    mkdirSync(here(name), { recursive: true });
  for (const name of [
    "broken/config.json",
    "pickle/config.json",
    "pickle/pytorch_model.bin",
    "whole/config.json",
    "whole/model.safetensors",
  ])
    writeFileSync(here(name), "{}");
  const path = here("r.yaml");
  writeFileSync(
    path,
    `sft_model_path: ${here("empty")}
reward_model_path: ${here("broken")}
value_model_path: ${here("whole")}
datasets:
  - path: json
    data_files: ${here("none.jsonl")}
    splitt: train
  - data_files: ${here("other.jsonl")}
  - ${here("last.jsonl")}
`,
  );
  const load = (...flags: string[]): Promise<unknown> => loadRecipe({ method: "ppo", configPath: path, flags });
  expect(await problemsOf(load())).toEqual([
    `${path}:1: sft_model_path: the folder ${here("empty")} holds no model: it has no config.json and no model.safetensors`,
    `${path}:2: reward_model_path: the folder ${here("broken")} holds no model: it has no model.safetensors; its newest checkpoint is ${here("broken/checkpoint-12")}`,
    `${path}:5: datasets[0]: unknown key splitt; did you mean split?`,
    `${path}:6: datasets[0]: ${here("none.jsonl")} does not exist`,
    `${path}:8: datasets[1].path is missing: expected string`,
    `${path}:9: datasets[2]: ${here("last.jsonl")} does not exist`,
  ]);
  // What to do with a pickle, the weights' own error says.
  await expect(load("--sft_model_path", here("pickle"), "--reward_model_path", here("whole"))).rejects.toMatchObject({
    message: expect.not.stringContaining("_model_path"),
  });
});
