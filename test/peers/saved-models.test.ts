/** What spar writes, read by the programs it is meant for: Transformers, tokenizers, TensorBoard. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchRows, freeModel, loadModel, saveModel, scoreHead } from "../../src/models/index.ts";
import { createFullSequence, createParameters } from "../../src/nn/index.ts";
import { createCpuBackend, type Backend } from "../../src/runtime/index.ts";
import { gather, input } from "../../src/tensor/index.ts";
import { createTokenizer, saveTokenizer, trainBPE } from "../../src/tokenizer/index.ts";
import { createTensorBoardTracker } from "../../src/tracking/index.ts";
import { createStepProgram } from "../../src/trainers/step-program.ts";
import { createWorkplace, fixtures, readFixtureRows, type Workplace } from "../invariants/tiny-run.ts";

const python = process.env["SPAR_PYTHON"];
const compare = fileURLToPath(new URL("compare_model.py", import.meta.url));

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

describe.skipIf(python === undefined)("peers", () => {
  const cases = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "stories260K"].flatMap((name) => [
    [name, "lm"] as const,
    [name, "score"] as const,
  ]);
  test.each(cases)("%s with a %s head: Transformers computes the same logits", async (name, head) => {
    const model = await loadModel(join(fixtures, "models", name), backend, { head, seed: 3 });
    const folder = place.path(`${name}-${head}`);
    mkdirSync(folder);
    // Id 0 is used as padding only.
    await saveModel(model, folder, { padTokenId: 0 });
    const width = model.config.vocabSize;
    const rows = [17, 9, 23].map((length, salt) => Array.from({ length }, (_, t) => 3 + ((t * 31 + salt * 57 + t * t) % (width - 3))));
    const time = Math.max(...rows.map((row) => row.length));
    const { ids, positions, bias } = batchRows(
      rows.map((row) => ({ ids: row })),
      rows.length,
      time,
    );
    const ends = Int32Array.from(rows, (row, b) => b * time + row.length - 1);
    const program = createStepProgram(backend, model.parameters, []);
    const results = await program.run(
      "all",
      () => {
        const p = createParameters();
        const trunk = model.architecture.trunk(model.config, p, createFullSequence(rows.length, time), (body) => body());
        return {
          metrics: {
            logits:
              head === "lm"
                ? model.architecture.head(model.config, p, trunk)
                : scoreHead(p, gather(trunk, input("ends", "int32", [rows.length]))),
          },
        };
      },
      { ids, positions, bias, ends },
    );
    const flat = [...results["logits"]];
    const logits =
      head === "score"
        ? flat
        : rows.map((_, b) => Array.from({ length: time }, (_, t) => flat.slice((b * time + t) * width, (b * time + t + 1) * width)));
    const outputs = place.path(`${name}-${head}.json`);
    const padded = (values: (row: readonly number[], t: number) => number): number[][] =>
      rows.map((row) => Array.from({ length: time }, (_, t) => values(row, t)));
    writeFileSync(
      outputs,
      JSON.stringify({ input_ids: padded((row, t) => row[t] ?? 0), attention_mask: padded((row, t) => (t < row.length ? 1 : 0)), logits }),
    );
    const { stdout, status } = spawnSync(python as string, [compare, "--model", folder, "--outputs", outputs], { encoding: "utf8" });
    expect(status, stdout).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, kind: head === "lm" ? "causal" : "score" });
    program.release();
    freeModel(model);
  });

  test("a tokenizer trained here opens in Python with the same ids", async () => {
    const texts = readFixtureRows("sft", 0, 200).map(({ prompt, completion }) => prompt + completion);
    const json = await trainBPE(
      (async function* () {
        yield* texts;
      })(),
      { vocabSize: 400, specialTokens: ["<|pad|>", "<|endoftext|>"] },
    );
    const settings = { tokenizer_class: "PreTrainedTokenizerFast", pad_token: "<|pad|>", eos_token: "<|endoftext|>" };
    const tokenizer = createTokenizer({ "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(settings) });
    await saveTokenizer(tokenizer, place.path("tokenizer"));
    const samples = [...texts.slice(0, 50), "It's 2024, naïve café — 日本 😀\n\n\ttabs  and   spaces ", "end<|endoftext|>begin", "", " "];
    writeFileSync(place.path("samples.json"), JSON.stringify(samples));
    const script = `
import json, sys
from tokenizers import Tokenizer
from transformers import AutoTokenizer
folder, samples = sys.argv[1], json.load(open(sys.argv[2]))
plain, auto = Tokenizer.from_file(folder + "/tokenizer.json"), AutoTokenizer.from_pretrained(folder)
print(json.dumps([[plain.encode(s).ids for s in samples], [auto(s)["input_ids"] for s in samples], auto.eos_token_id, auto.pad_token_id]))`;
    const [plain, auto, eos, pad] = JSON.parse(
      execFileSync(python as string, ["-c", script, place.path("tokenizer"), place.path("samples.json")], { encoding: "utf8" }),
    ) as [number[][], number[][], number, number];
    const ours = samples.map((text) => tokenizer.encode(text));
    expect(plain).toEqual(ours);
    expect(auto).toEqual(ours);
    expect([eos, pad]).toEqual([tokenizer.eosId, tokenizer.padId]);
  });

  test("TensorBoard reads the event files", async () => {
    const folder = place.path("board");
    mkdirSync(folder);
    const tracker = createTensorBoardTracker({ folder, config: {} });
    for (let step = 1; step <= 5; step++) tracker.metrics({ step, loss: 1 / step, "objective/kl": step / 3 });
    await tracker.close("finished");
    const script = `
import json, sys, glob
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
files = glob.glob(sys.argv[1] + "/**/events.out.tfevents.*", recursive=True)
assert len(files) == 1, files
events = EventAccumulator(files[0]); events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))`;
    const scalars = JSON.parse(execFileSync(python as string, ["-c", script, folder], { encoding: "utf8" })) as {
      [tag: string]: [number, number][];
    };
    const values = Object.values(scalars);
    expect(Object.keys(scalars).some((tag) => tag.endsWith("loss"))).toBe(true);
    expect(Object.keys(scalars).some((tag) => tag.endsWith("objective/kl"))).toBe(true);
    for (const points of values) expect(points.map(([step]) => step)).toEqual([1, 2, 3, 4, 5]);
    const loss = scalars[Object.keys(scalars).find((tag) => tag.endsWith("loss")) as string];
    for (const [step, value] of loss) expect(value).toBeCloseTo(1 / step, 6);
  });
});
