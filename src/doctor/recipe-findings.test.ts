/** What the doctor says of whole recipes, each with one thing wrong. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { pairwise, startFakeStudio } from "../../test/fixtures/fake-label-studio.ts";
import { renderStudioConfig } from "../labeling/index.ts";
import { parseRecipe, type Method } from "../recipes/index.ts";
import { createCpuBackend, type Backend, type Machine } from "../runtime/index.ts";
import { checkRecipe, inferMethods, type CheckRecipeOptions, type Finding } from "./index.ts";
import { watchBackend } from "./watching-backend.ts";

/** Stands in for what the machine says of its memory. */
const machine = vi.hoisted(() => ({ memory: {} as Partial<Machine> }));
vi.mock("../runtime/index.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../runtime/index.ts")>();
  return { ...original, describeMachine: () => ({ ...original.describeMachine(), ...machine.memory }) };
});

const model = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-doctor-recipes-"));
const backend = createCpuBackend({ threads: 2 });
afterEach(() => void (machine.memory = {}));
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, content: string | readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : content.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

type Keys = { readonly [key: string]: unknown };

async function check(method: Method, keys: Keys, options: Partial<CheckRecipeOptions> = {}): Promise<readonly Finding[]> {
  const start = method === "pretrain" ? {} : { [method === "ppo" ? "sft_model_path" : "model_name_or_path"]: model };
  const values = { ...start, output_dir: join(folder, "out"), logging_steps: 1, gradient_checkpointing: false, ...keys };
  const recipe = await parseRecipe({ method, yaml: { text: JSON.stringify(values), file: "recipe.yaml" } });
  return (await checkRecipe(recipe, { backend, ...options })).findings;
}
const codes = (findings: readonly Finding[]): string[] => findings.map(({ code }) => code);

const texts = write(
  "texts.jsonl",
  Array.from({ length: 8 }, (_, i) => ({ text: `Once upon a time there was a dog ${i}.` })),
);
const prompts = write(
  "prompts.jsonl",
  Array.from({ length: 4 }, (_, i) => ({ prompt: `Once upon a time ${i}` })),
);
const ppo = {
  dataset_name: prompts,
  response_length: 8,
  per_device_train_batch_size: 2,
  num_mini_batches: 1,
  reward_funcs: ["rule:length"],
};

test("padding and end token are one", async () => {
  expect(codes(await check("sft", { dataset_name: texts, pad_token: "</s>" }, { trial: false }))).toEqual(["doctor/pad-is-eos"]);
  expect(await check("sft", { dataset_name: texts, pad_token: "<unk>" }, { trial: false })).toEqual([]);
});

test("no end token in the data", async () => {
  const ids = write("ids.jsonl", [{ input_ids: [1, 400, 401, 402] }, { input_ids: [1, 403, 404] }]);
  expect(codes(await check("sft", { dataset_name: ids }, { trial: false }))).toEqual(["doctor/no-eos-in-data"]);
  const ended = write("ended.jsonl", [{ input_ids: [1, 400, 401, 402, 2] }]);
  expect(await check("sft", { dataset_name: ended }, { trial: false })).toEqual([]);
});

test("a chat template that opens an answer otherwise than it renders one, or does not end it", async () => {
  const turns = [
    { role: "user", content: "Who?" },
    { role: "assistant", content: "A dog." },
  ];
  const chat = write("chat.jsonl", [{ messages: turns }, { messages: turns }]);
  const withTemplate = async (name: string, end: string, open: string): Promise<string[]> => {
    const text = `{% for m in messages %}{{ m.role }}: {{ m.content }}${end}{% endfor %}{% if add_generation_prompt %}${open}{% endif %}`;
    return codes(await check("sft", { dataset_name: chat, chat_template_path: write(name, text) }, { trial: false }));
  };
  expect(await withTemplate("sound.jinja", "</s>", "assistant: ")).toEqual([]);
  // As ChatML has it: a line break after the end token.
  expect(await withTemplate("line.jinja", "</s>\n", "assistant: ")).toEqual([]);
  expect(await withTemplate("other.jinja", "</s>", "bot: ")).toEqual(["doctor/chat-template-mismatch"]);
  expect(await withTemplate("open.jinja", "|", "assistant: ")).toContain("doctor/chat-template-no-eos");
});

test("an end token that the loss does not look at", async () => {
  const turns = [
    { role: "user", content: "Who?" },
    { role: "assistant", content: "A dog." },
  ];
  const chat = write("masked.jsonl", [{ messages: turns }, { messages: turns }]);
  const found = async (answer: string): Promise<string[]> => {
    const text = `{% for m in messages %}{% if m.role == "user" %}user: {{ m.content }}</s>{% else %}bot: ${answer}{% endif %}{% endfor %}{% if add_generation_prompt %}bot: {% endif %}`;
    const keys = { dataset_name: chat, chat_template_path: write("masked.jinja", text), assistant_only_loss: true };
    return codes(await check("sft", keys, { trial: false }));
  };
  expect(await found("{% generation %}{{ m.content }}</s>{% endgeneration %}")).toEqual([]);
  expect(await found("{% generation %}{{ m.content }}{% endgeneration %}</s>")).toEqual(["doctor/no-eos-in-data"]);
});

test("a folder that holds a run already", async () => {
  const used = join(folder, "used");
  mkdirSync(used);
  const found = async (keys: Keys): Promise<unknown[]> =>
    (await check("sft", { dataset_name: texts, output_dir: used, ...keys }, { trial: false })).map(({ code, level }) => [code, level]);
  expect(await found({})).toEqual([]);
  write("used/metrics.jsonl", "{}\n");
  expect(await found({})).toEqual([["run/folder-not-empty", "warning"]]);
  expect(await found({ overwrite_output_dir: true })).toEqual([]);
  expect(await found({ resume_from_checkpoint: true })).toEqual([]);
});

test("a reward that is the same for all completions", async () => {
  const same = write("same.mjs", "export default (rows) => rows.map(() => 0.5);\n");
  expect(codes(await check("ppo", { ...ppo, stop_token: "eos", reward_funcs: [same] }, { trial: false }))).toEqual([
    "doctor/constant-reward",
  ]);
});

test("a sampler that disagrees with the trainer", async () => {
  const skewed: Backend = {
    ...watchBackend(backend),
    async compile(graph, options) {
      const executable = await backend.compile(graph, options);
      if (!graph.outputs.has("token")) return executable;
      return {
        async run(inputs, outputs) {
          await executable.run(inputs, outputs);
          const drawn = outputs.get("logprob")?.host as Float32Array;
          for (let i = 0; i < drawn.length; i++) drawn[i] -= 0.05;
        },
        release: () => executable.release(),
      };
    },
  };
  const findings = await check("ppo", { ...ppo, stop_token: "eos" }, { trial: false, backend: skewed });
  expect(findings.map(({ code, level }) => [code, level])).toContainEqual(["doctor/logprobs-differ", "error"]);
  expect(codes(await check("ppo", { ...ppo, stop_token: "eos" }, { trial: false }))).not.toContain("doctor/logprobs-differ");
});

test("memory that will not do: told before it is taken, and by the plan of the first large graph", async () => {
  const huge = { datasets: [{ path: "text", data_files: write("words.txt", "a dog and a cat\n".repeat(400)) }], block_size: 16 };
  const sizes = { model_type: "llama", hidden_size: 16_384, num_hidden_layers: 100, num_attention_heads: 64, vocab_size: 300 };
  const before = process.resourceUsage().maxRSS;
  const [refused] = await check("pretrain", { ...huge, ...sizes });
  expect(refused).toMatchObject({ code: "doctor/memory", level: "error" });
  expect(refused.found).toContain("AdamW's moments alone take at least");
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(1e6);

  // Weights, gradients and moments fit; the step's values do not.
  machine.memory = { availableBytes: 6e6 };
  const [stopped] = await check("sft", { dataset_name: texts, per_device_train_batch_size: 8 });
  expect(stopped).toMatchObject({ code: "doctor/memory", level: "error" });
  expect(stopped.action).toContain("per_device_train_batch_size");

  machine.memory = { memoryBytes: 1e8 };
  expect(codes(await check("sft", { dataset_name: texts }))).toEqual(["doctor/memory-tight"]);
});

test("time that will not do", async () => {
  const [found] = await check("sft", { dataset_name: texts, max_steps: 500_000_000 });
  expect(found).toMatchObject({ code: "doctor/time", level: "warning" });
  expect(found.found).toMatch(/^the run takes \d+ days on this machine: 500000000 steps of 0\.0/);
});

test("a live Label Studio project is looked into; without a token that is the finding", async () => {
  const studio = await startFakeStudio();
  try {
    const project = studio.addProject("answers", renderStudioConfig("pair"));
    const tasks = Array.from({ length: 8 }, (_, i) =>
      studio.addTask(project, {
        prompt: `What about ${i}?`,
        answer1: "Yes, always.",
        answer2: i === 0 ? "No, never. ".repeat(20) : "No, never.",
      }),
    );
    const datasets = [{ path: "label-studio", url: studio.url, project: "answers" }];
    const look = { trial: false, labelStudioToken: "x" };
    expect(codes(await check("reward", { datasets }, look))).toEqual(["data/empty"]);
    for (const task of tasks) studio.annotate(task, { result: [pairwise("left")] });
    const keys = { datasets, per_device_train_batch_size: 4 };
    expect((await check("reward", keys, look)).filter(({ level }) => level === "error")).toEqual([]);
    expect(codes(await check("reward", { ...keys, max_length: 48 }, look))).toContain("data/rows-dropped");
    expect(codes(await check("reward", keys, { trial: false }))).toEqual(["label-studio/token"]);
    const yaml = { text: JSON.stringify({ model_name_or_path: model, output_dir: "x", datasets }), file: "live.yaml" };
    expect(await inferMethods({ yaml })).toEqual(["reward", "dpo"]);
  } finally {
    studio.close();
  }
});
