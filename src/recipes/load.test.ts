import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { problemsOf } from "../../test/recipe-problems.ts";
import { loadRecipe, parseRecipe, type ParseRecipeOptions } from "./load.ts";

const minimal = "model_name_or_path: gpt2\ndataset_name: data.jsonl\n";

function parse(method: ParseRecipeOptions["method"], text: string, flags: string[] = []) {
  return parseRecipe({ method, yaml: { text, file: "recipe.yaml" }, flags });
}

test("absent keys mean TRL's defaults", async () => {
  const { config } = await parse("sft", minimal);
  expect(config).toMatchObject({
    learning_rate: 2e-5,
    per_device_train_batch_size: 8,
    gradient_accumulation_steps: 1,
    num_train_epochs: 3,
    max_steps: -1,
    lr_scheduler_type: "linear",
    warmup_steps: 0,
    weight_decay: 0,
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    max_grad_norm: 1,
    logging_steps: 10,
    save_steps: 500,
    save_strategy: "steps",
    eval_strategy: "no",
    seed: 42,
    gradient_checkpointing: true,
    max_length: 1024,
    packing: false,
    completion_only_loss: null,
    train_sampling_strategy: "random",
    output_dir: "trainer_output",
  });
  const reward = await parse("reward", minimal);
  expect(reward.config).toMatchObject({ learning_rate: 1e-4, max_length: 1024, center_rewards_coefficient: null });
});

test("PPO has TRL 0.12.2's names and defaults", async () => {
  const { config } = await parse("ppo", "sft_model_path: a\nreward_model_path: b\ndataset_name: c\n");
  expect(config).toMatchObject({
    num_ppo_epochs: 4,
    whiten_rewards: false,
    kl_coef: 0.05,
    cliprange: 0.2,
    vf_coef: 0.1,
    cliprange_value: 0.2,
    gamma: 1,
    lam: 0.95,
    num_mini_batches: 1,
    total_episodes: null,
    local_rollout_forward_batch_size: 64,
    num_sample_generations: 10,
    response_length: 53,
    stop_token: null,
    temperature: 0.7,
    missing_eos_penalty: null,
    learning_rate: 5e-5,
    gradient_checkpointing: false,
    kl_estimator: "k1",
    value_model_path: null,
  });
});

test("a TRL recipe runs unchanged, and what means nothing is named", async () => {
  const recipe = await parse(
    "sft",
    `# Model
model_name_or_path: Qwen/Qwen2-0.5B
model_revision: main
torch_dtype: bfloat16
attn_implementation: flash_attention_2
# Data
datasets:
  - path: json
    data_files: train.jsonl
  - path: trl-lib/Capybara
    split: train[:10%]
# Training
learning_rate: 2.0e-5
num_train_epochs: 1.0
packing: yes
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
gradient_checkpointing: true
gradient_checkpointing_kwargs: {use_reentrant: false}
eos_token: '<|im_end|>'
eval_strategy: steps
save_strategy: no
bf16: true
optim: adamw_torch_fused
deepspeed: zero3.json
use_peft: false
lora_r: 32
push_to_hub: true
report_to: none
env:
  TOKENIZERS_PARALLELISM: false
`,
  );
  expect(recipe.config).toMatchObject({
    packing: true,
    save_strategy: "no",
    report_to: [],
    eos_token: "<|im_end|>",
    num_train_epochs: 1,
    dtype: "bfloat16",
  });
  const absent = {
    name: null,
    data_dir: null,
    data_files: null,
    columns: null,
    fraction: null,
    weight: null,
    revision: null,
    sample_by: null,
    task: null,
  };
  expect(recipe.config.datasets).toEqual([
    { ...absent, path: "json", data_files: "train.jsonl", split: "train" },
    { ...absent, path: "trl-lib/Capybara", split: "train[:10%]" },
  ]);
  expect(recipe.ignored).toEqual([
    "attn_implementation",
    "gradient_checkpointing_kwargs",
    "bf16",
    "deepspeed",
    "lora_r",
    "push_to_hub",
    "dtype",
  ]);
  expect(recipe.env).toEqual({ TOKENIZERS_PARALLELISM: "false" });
});

test("all errors come at once, with line, expectation and nearest name", async () => {
  const text = `model_name_or_path: gpt2
learning_rat: 1e-4
learning_rate: fast
datasets:
  - path: json
    splitt: train
  - data_files: a
use_peft: true
kl_coef: 3
per_device_train_batch_size: 0
loss_type: dft
`;
  expect(await problemsOf(parse("sft", text, ["--max-steps", "x", "--eval_strategy", "never"]), "usage/invalid")).toEqual([
    "recipe.yaml:2: learning_rat: unknown key; did you mean learning_rate?",
    'recipe.yaml:3: learning_rate: expected a number (at least 0), found "fast"',
    "recipe.yaml:5: datasets[0]: unknown key splitt; did you mean split?",
    "recipe.yaml:7: datasets[1].path is missing: expected string",
    "recipe.yaml:8: use_peft: LoRA training: not part of this version; expected false, found true",
    "recipe.yaml:9: kl_coef: not a key of sft (it belongs to ppo)",
    "recipe.yaml:10: per_device_train_batch_size: expected a whole number (at least 1), found 0",
    'recipe.yaml:11: loss_type: a loss other than nll: not part of this version; expected nll, found "dft"',
    '--max-steps: expected a whole number (at least -1), found "x"',
    '--eval_strategy: expected one of no, steps, epoch, found "never"',
  ]);
});

test("rules between keys are checked beside wrong values", async () => {
  const text = "learning_rate: fast\nreward_funcs: [rule:length]\nreward_weights: [1, 2]\nstop_token: eos\nstop_token_id: 3\n";
  expect(await problemsOf(parse("ppo", text))).toEqual([
    'recipe.yaml:1: learning_rate: expected a number (at least 0), found "fast"',
    "recipe.yaml:3: reward_weights: expected a weight for each reward (1), found 2",
    "recipe.yaml:5: stop_token_id: expected stop_token or stop_token_id, found both",
    "recipe.yaml: sft_model_path or model_name_or_path is missing: the policy to start from (a folder or a hub id)",
    "recipe.yaml: datasets or dataset_name is missing: the data to train on",
  ]);
  for (const share of ["fraction", "weight"]) {
    expect(await problemsOf(parse("sft", `${minimal}datasets: [{path: a, ${share}: 1}, {path: b}]\n`))).toEqual([
      `recipe.yaml:3: datasets: expected \`${share}\` on all datasets of the mixture or on none`,
    ]);
  }
});

test("broken, empty and misshapen YAML", async () => {
  expect(await problemsOf(parse("sft", "a: [1\nb: 2\n"))).toEqual([expect.stringMatching(/^recipe\.yaml:\d+: not valid YAML: /)]);
  expect(await problemsOf(parse("sft", ""))).toEqual(["recipe.yaml:1: the recipe is empty: expected lines of key: value"]);
  expect(await problemsOf(parse("sft", "- a\n- b\n"))).toEqual(["recipe.yaml:1: expected lines of key: value, found a list"]);
  expect(await problemsOf(parse("sft", `${minimal}env: 3\n`))).toEqual(["recipe.yaml:3: env: expected a map of variables, found 3"]);
  expect(await problemsOf(parse("sft", `${minimal}method: dpo\n`))).toEqual(['recipe.yaml:3: method: the command is sft, found "dpo"']);
});

test("what is wrong inside a dataset is said in words", async () => {
  const inner = (text: string): Promise<string[]> => problemsOf(parse("sft", `${minimal}datasets:\n  - path: json\n    ${text}\n`));
  expect(await inner("weight: -1")).toEqual(["recipe.yaml:5: datasets[0].weight: expected a number above 0, found -1"]);
  expect(await inner("fraction: -1")).toEqual(["recipe.yaml:5: datasets[0].fraction: expected a number of at least 0, found -1"]);
  expect(await inner("sample_by: page")).toEqual([
    'recipe.yaml:5: datasets[0].sample_by: expected one of line, paragraph, document, found "page"',
  ]);
  expect(await inner('split: "train[9"')).toEqual([
    'recipe.yaml:5: datasets[0].split: expected a name, or a name with a range: train[:1000], train[10%:20%], train[-100:]; found "train[9"',
  ]);
  expect(await problemsOf(parse("sft", `${minimal}dataset_train_split: train[1\n`))).toEqual([
    expect.stringMatching(/^recipe\.yaml:3: dataset_train_split: expected a name, or .*found "train\[1"$/),
  ]);
  expect(await inner("data_files: 3")).toEqual(["recipe.yaml:5: datasets[0].data_files: expected string or array or record, found 3"]);
});

test("a key that is set twice with two values is an error with both lines; anchors and merge keys work", async () => {
  expect(await problemsOf(parse("sft", `model_name_or_path: a\n${minimal}`))).toEqual([
    "recipe.yaml:2: model_name_or_path is set twice, with another value in line 1: leave one of them out",
  ]);
  const same = await parse("sft", `model_name_or_path: gpt2\n${minimal}`);
  expect(same.notes).toEqual(["recipe.yaml:2: model_name_or_path is set twice, in line 1 too"]);
  const merged = await parse("sft", `${minimal}env: &base {A: b}\n`);
  expect(merged.env).toEqual({ A: "b" });
  const merge = await parse("sft", `${minimal}<<: {seed: 7, dataset_name: other}\n`);
  expect(merge.config).toMatchObject({ seed: 7, dataset_name: "data.jsonl" });
});

test("aliases and older names", async () => {
  const { config } = await parse("sft", `${minimal}max_seq_length: 77\nevaluation_strategy: epoch\ngroup_by_length: true\n`);
  expect(config).toMatchObject({ max_length: 77, eval_strategy: "epoch", train_sampling_strategy: "group_by_length" });
  expect(await problemsOf(parse("sft", `${minimal}max_length: 5\nmax_seq_length: 77\n`))).toEqual([
    "recipe.yaml:4: max_seq_length: the same as max_length (recipe.yaml:3), with another value",
  ]);
});

test("values as text are read as Python's parser reads them", async () => {
  const { config } = await parse("sft", `${minimal}learning_rate: "1e-5"\nseed: "7"\npacking: "True"\nmax_length: None\nrun_name: 3\n`);
  expect(config).toMatchObject({ learning_rate: 1e-5, seed: 7, packing: true, max_length: null, run_name: "3" });
});

test("flags win over the file, in every way of writing them", async () => {
  const text = `${minimal}learning_rate: 1\nseed: 1\npacking: false\nshuffle_dataset: true\n`;
  const { config } = await parse("sft", text, [
    "--learning-rate=1e-4",
    "--seed",
    "5",
    "--packing",
    "--no-shuffle_dataset",
    "--max_steps",
    "-1",
    "--report-to",
    "tensorboard",
    "wandb",
    "--resume",
    "--datasets",
    '[{"path": "json", "data_files": ["a.jsonl"]}]',
    "--assistant-only-loss",
    "false",
  ]);
  expect(config).toMatchObject({
    learning_rate: 1e-4,
    seed: 5,
    packing: true,
    shuffle_dataset: false,
    max_steps: -1,
    report_to: ["tensorboard", "wandb"],
    resume_from_checkpoint: true,
    assistant_only_loss: false,
  });
  expect(config.datasets).toMatchObject([{ path: "json", data_files: ["a.jsonl"] }]);
  const ppo = await parse("ppo", "sft_model_path: a\ndataset_name: b\n", [
    "--reward_funcs",
    "rule:length",
    "./x.mjs",
    "--reward-weights",
    "1",
    "-0.5",
  ]);
  expect(ppo.config).toMatchObject({ reward_funcs: ["rule:length", "./x.mjs"], reward_weights: [1, -0.5] });
  const resumed = await parse("sft", minimal, ["--resume", "out/checkpoint-5"]);
  expect(resumed.config.resume_from_checkpoint).toBe("out/checkpoint-5");
});

test("wrong flags", async () => {
  expect(await problemsOf(parse("sft", minimal, ["--seed", "--sed", "3", "stray", "-x", "--no-packing=1"]), "usage/invalid")).toEqual([
    "--seed: expected a value after it, found --sed",
    "stray: expected --key value",
    "-x: flags start with --",
    '--no-packing: expected no value, found "1"',
    "--sed: unknown key; did you mean seed?",
  ]);
});

test("the resolved YAML gives the same config again, for each method", async () => {
  const texts = {
    sft: `${minimal}env: {A: "1", HF_TOKEN: secret}\nwarmup_ratio: 0.1\nreport_to: all\ndatasets: [{path: json, data_files: {train: a, test: [b]}, fraction: 0.5}]\n`,
    reward: `${minimal}resume: true\noverwrite_output_dir: true\n`,
    ppo: "sft_model_path: a\nreward_funcs: rule:length\ndataset_name: c\nadap_kl_ctrl: true\n",
    pretrain: "dataset_name: t.txt\nmodel_config: {attention_bias: true}\n",
  } as const;
  for (const method of ["sft", "reward", "ppo", "pretrain"] as const) {
    const first = await parse(method, texts[method]);
    expect(first.yamlText).not.toContain("secret");
    // Python's YAML (1.1) reads a bare `no` as false.
    expect(first.yamlText).toContain('eval_strategy: "no"');
    const second = await parse(method, first.yamlText);
    expect(second.config).toEqual({ ...first.config, resume_from_checkpoint: false, overwrite_output_dir: false });
    expect(second.ignored).toEqual([]);
    expect(second.yamlText.replace(/^#.*\n/gm, "")).toBe(first.yamlText.replace(/^#.*\n/gm, ""));
  }
});

test("--datasets takes names, several too, and JSON", async () => {
  const datasets = async (...words: string[]): Promise<unknown> =>
    (await parse("sft", "model_name_or_path: a\n", ["--datasets", ...words])).config.datasets.map(({ path, split }) => [path, split]);
  expect(await datasets("rows.jsonl")).toEqual([["rows.jsonl", "train"]]);
  expect(await datasets("rows.jsonl", "org/data")).toEqual([
    ["rows.jsonl", "train"],
    ["org/data", "train"],
  ]);
  expect(await datasets('[{"path": "a", "split": "test"}, {"path": "b"}]')).toEqual([
    ["a", "test"],
    ["b", "train"],
  ]);
  expect(await datasets('{"path": "a", "split": "test"}', "b")).toEqual([
    ["a", "test"],
    ["b", "train"],
  ]);
  expect(await problemsOf(parse("sft", "model_name_or_path: a\n", ["--datasets", '[{"splitt": 3}]']), "usage/invalid")).toEqual([
    "--datasets[0].path is missing: expected string",
    "--datasets[0]: unknown key splitt; did you mean split?",
  ]);
});

test("a recipe that cannot be read", async () => {
  await expect(loadRecipe({ method: "sft", configPath: "/nowhere/x.yaml" })).rejects.toMatchObject({
    code: "recipe/not-readable",
    message: "cannot read the recipe /nowhere/x.yaml: no such file",
  });
  await expect(loadRecipe({ method: "sft", configPath: tmpdir() })).rejects.toThrow("it is a folder");
});

test("a flag wins over the file, also where the file names its data by the other key", async () => {
  const mixture = "model_name_or_path: gpt2\ndatasets:\n  - path: file.jsonl\n";
  expect((await parse("sft", mixture, ["--dataset_name", "flag.jsonl"])).config).toMatchObject({
    datasets: [],
    dataset_name: "flag.jsonl",
  });
  expect((await parse("sft", minimal, ["--datasets", "flag.jsonl"])).config.datasets).toMatchObject([{ path: "flag.jsonl" }]);
  expect((await parse("sft", `${mixture}dataset_name: data.jsonl\n`)).config.datasets).toMatchObject([{ path: "file.jsonl" }]);
});
