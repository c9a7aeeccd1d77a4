import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parseRecipe, type Method, type ResolvedRecipe } from "../recipes/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { createTokenizer, loadTokenizer } from "../tokenizer/index.ts";
import { judgeLogprobs, judgeScores } from "./check-rollout.ts";
import { checkSettings } from "./check-settings.ts";
import { checkTokenizer } from "./check-tokenizer.ts";
import { formatFinding } from "./finding.ts";
import { checkRecipe, inferMethods } from "./index.ts";

const model = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-doctor-test-"));
const backend = createCpuBackend({ threads: 2 });
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, rows: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}
const recipe = (method: Method, ...flags: string[]): Promise<ResolvedRecipe> =>
  parseRecipe({ method, flags: ["--output_dir", join(folder, "out"), ...flags] });
const codes = (findings: readonly { code: string }[]): string[] => findings.map(({ code }) => code);
const texts = write(
  "texts.jsonl",
  Array.from({ length: 12 }, (_, i) => ({ text: "Once upon a time there was a dog. ".repeat(1 + (i % 4)) })),
);

test("a sound recipe has no warnings, and a forecast from real steps", async () => {
  const stages: string[] = [];
  const { findings, forecast } = await checkRecipe(
    await recipe(
      "sft",
      "--model_name_or_path",
      model,
      "--dataset_name",
      texts,
      "--per_device_train_batch_size",
      "2",
      "--logging_steps",
      "1",
    ),
    { backend, onStage: (stage) => stages.push(stage) },
  );
  expect(findings.filter(({ level }) => level !== "note")).toEqual([]);
  expect(forecast).toMatchObject({ rows: 12, steps: 18 });
  expect(forecast?.savingSeconds).toBeGreaterThan(0);
  expect(forecast?.seconds).toBeGreaterThan((forecast?.startSeconds ?? Infinity) + (forecast?.savingSeconds ?? Infinity));
  // Weights, gradients and two moments of 260K parameters at least.
  expect(forecast?.bufferBytes).toBeGreaterThan(4 * 4 * 260_000);
  expect(forecast?.peakBytes).toBeGreaterThan(forecast?.bufferBytes ?? Infinity);
  expect(stages).toContain("training a few steps to measure");
});

test("rows cut, dropped, without end, too long for the model", async () => {
  const cut = await checkRecipe(await recipe("sft", "--model_name_or_path", model, "--dataset_name", texts, "--max_length", "8"), {
    backend,
    trial: false,
  });
  expect(codes(cut.findings)).toEqual(expect.arrayContaining(["data/rows-truncated", "doctor/no-eos-in-data"]));
  const pairs = write("pairs.jsonl", [
    { prompt: "A", chosen: " dog", rejected: " dog" },
    { prompt: "A", chosen: " cat ".repeat(60), rejected: " no" },
  ]);
  const dropped = await checkRecipe(await recipe("reward", "--model_name_or_path", model, "--dataset_name", pairs, "--max_length", "32"), {
    backend,
    trial: false,
  });
  expect(codes(dropped.findings)).toEqual(expect.arrayContaining(["data/rows-dropped", "doctor/equal-pairs"]));
  expect(dropped.findings.find(({ code }) => code === "data/rows-dropped")?.found).toContain("1 of 2 rows");
  const long = write("long.jsonl", [{ text: "dog ".repeat(3000) }]);
  const { findings, forecast } = await checkRecipe(
    await recipe("sft", "--model_name_or_path", model, "--dataset_name", long, "--max_length", "100000"),
    { backend },
  );
  expect(findings.find(({ code }) => code === "doctor/positions")).toMatchObject({ level: "error" });
  expect(forecast).toBeUndefined();
});

test("what the training would stop with is a finding", async () => {
  const chat = write("chat.jsonl", [
    {
      messages: [
        { role: "user", content: "q" },
        { role: "assistant", content: "a" },
      ],
    },
  ]);
  const noTemplate = await checkRecipe(await recipe("sft", "--model_name_or_path", model, "--dataset_name", chat), { backend });
  expect(noTemplate.findings).toEqual([expect.objectContaining({ code: "data/no-chat-template", level: "error" })]);
  const noData = await checkRecipe(await recipe("sft", "--model_name_or_path", model, "--dataset_name", join(folder, "none.jsonl")), {
    backend,
  });
  expect(noData.findings[0]).toMatchObject({ level: "error", why: "the training ends with this error" });
});

test("PPO: sampler and trainer agree, and a constant reward is found", async () => {
  const prompts = write(
    "prompts.jsonl",
    Array.from({ length: 4 }, (_, i) => ({ prompt: `Once upon a time ${i}` })),
  );
  const flags = ["--sft_model_path", model, "--dataset_name", prompts, "--response_length", "8", "--per_device_train_batch_size", "2"];
  const constant = join(folder, "constant.mjs");
  writeFileSync(constant, "export default (rows) => rows.map(() => 1);\n");
  const bad = await checkRecipe(await recipe("ppo", ...flags, "--reward_funcs", constant), { backend, trial: false });
  expect(codes(bad.findings)).toContain("doctor/constant-reward");
  expect(codes(bad.findings)).not.toContain("doctor/logprobs-differ");
  expect(codes(bad.findings)).toContain("doctor/no-stop-token");
});

test("scores and log-probs are judged", () => {
  expect(judgeScores([1, 2, 3])).toEqual([]);
  expect(judgeScores([1])).toEqual([]);
  expect(judgeScores([NaN, NaN])).toMatchObject([{ code: "doctor/reward-missing", level: "error" }]);
  expect(judgeScores([NaN, 1])).toMatchObject([{ code: "doctor/reward-missing", level: "warning" }]);
  expect(judgeLogprobs(1e-5)).toEqual([]);
  expect(judgeLogprobs(0.1)).toMatchObject([{ code: "doctor/logprobs-differ", level: "error" }]);
  expect(judgeLogprobs(0.1)[0].found).toContain("0.100");
});

test("numbers that hardly mean what they say", async () => {
  const base = ["--model_name_or_path", "m", "--dataset_name", "d"];
  const check = async (...flags: string[]): Promise<string[]> => codes(checkSettings(await recipe("sft", ...base, ...flags), 100));
  expect(await check()).toEqual([]);
  expect(await check("--learning_rate", "0")).toEqual(["doctor/learning-rate"]);
  expect(await check("--learning_rate", "2")).toEqual(["doctor/learning-rate"]);
  expect(await check("--learning_rate", "1e-9")).toEqual(["doctor/learning-rate"]);
  expect(await check("--warmup_steps", "100")).toEqual(["doctor/warmup"]);
  expect(await check("--warmup_ratio", "0.1")).toEqual([]);
  expect(await check("--logging_steps", "101")).toEqual(["doctor/nothing-logged"]);
});

test("special tokens and chat templates", async () => {
  const { files } = await loadTokenizer(model);
  const make = (settings: object, template?: string) =>
    createTokenizer({
      ...files,
      "tokenizer_config.json": JSON.stringify(settings),
      "special_tokens_map.json": "{}",
      ...(template === undefined ? {} : { "chat_template.jinja": template }),
    });
  const check = (tokenizer: ReturnType<typeof make>, isChat = false, vocabSize = tokenizer.vocabSize): string[] =>
    codes(checkTokenizer({ method: "sft", tokenizer, vocabSize, isChat }));
  const eos = { eos_token: "</s>" };
  expect(check(make(eos))).toEqual([]);
  expect(check(make({}))).toEqual(["doctor/no-eos-token"]);
  expect(check(make({ ...eos, pad_token: "</s>" }))).toEqual(["doctor/pad-is-eos"]);
  expect(check(make(eos), false, 100)).toEqual(["doctor/vocabulary"]);
  const turns = (end: string, open: string): string =>
    `{% for m in messages %}{{ m.role }}:{{ m.content }}${end}{% endfor %}{% if add_generation_prompt %}${open}{% endif %}`;
  expect(check(make(eos, turns("</s>", "assistant:")))).toEqual(["doctor/chat-template-unused"]);
  expect(check(make(eos, turns("</s>", "assistant:")), true)).toEqual([]);
  expect(check(make(eos, turns("|", "assistant:")), true)).toEqual(["doctor/chat-template-no-eos"]);
  expect(check(make(eos, turns("</s>", "bot:")), true)).toEqual(["doctor/chat-template-mismatch"]);
  expect(check(make(eos, "{{ raise_exception('no') }}"), true)).toEqual(["tokenizer/chat-template"]);
});

const infer = (text: string, ...flags: string[]): Promise<Method[]> => inferMethods({ yaml: { text, file: "r.yaml" }, flags });

test("the method is told from the keys", async () => {
  expect(await infer("method: reward\nlearning_rate: 1")).toEqual(["reward"]);
  expect(await infer("model_name_or_path: m\npacking: true")).toEqual(["sft"]);
  expect(await infer("model_name_or_path: m", "--packing")).toEqual(["sft"]);
  expect(await infer("model_name_or_path: m", "--no-packing")).toEqual(["sft"]);
  expect(await infer("model_name_or_path: m\ncenter_rewards_coefficient: .01")).toEqual(["reward"]);
  expect(await infer("sft_model_path: m\nreward_model_path: r")).toEqual(["ppo"]);
  expect(await infer("sft_model_path: m", "--reward-funcs=rule:length")).toEqual(["ppo"]);
  expect(await infer("hidden_size: 64\nblock_size: 32")).toEqual(["pretrain"]);
  await expect(infer("packing: true\nkl_coef: 1")).rejects.toThrow("the keys of r.yaml fit no method");
  await expect(inferMethods({ flags: ["--packing", "--kl_coef", "1"] })).rejects.toThrow("the keys of the command line fit no method");
  await expect(infer("a: [")).rejects.toThrow("r.yaml: not valid YAML");
});

test("where the keys do not tell, the data do; pairs may be for two methods", async () => {
  const pairs = write("which.jsonl", [{ chosen: "a b", rejected: "a c" }]);
  const recipeOf = (path: string): string => `model_name_or_path: m\noutput_dir: o\ndatasets: [{path: json, data_files: ${path}}]\n`;
  expect(await infer(recipeOf(texts))).toEqual(["sft"]);
  expect(await infer(recipeOf(write("asked.jsonl", [{ prompt: "a", completion: "b" }])))).toEqual(["sft"]);
  expect(await infer(recipeOf(pairs))).toEqual(["reward", "dpo"]);
  expect(await inferMethods({ flags: ["--model_name_or_path", "m", "--output_dir", "o", "--dataset_name", texts] })).toEqual(["sft"]);
  await expect(infer("model_name_or_path: m\ndataset_name: none.jsonl\noutput_dir: o")).rejects.toThrow("none.jsonl");
});

test("a finding is one line", () => {
  expect(formatFinding({ code: "a/b", level: "error", found: "x\n  y", why: "w", action: "d" })).toBe("error [a/b] x; y — why: w. Do: d.");
  expect(formatFinding({ code: "a/b", level: "note", found: "x", why: "w", action: "A hint's sentence." })).toBe(
    "note [a/b] x — why: w. Do: A hint's sentence.",
  );
});
