import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadTokenizer } from "../tokenizer/index.ts";
import { configSchemas } from "./configs.ts";
import { pretrain } from "./pretrain.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-pretrain-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("bits a byte count every token, the first of a row too: a model that knows nothing needs log2 V for each", async () => {
  const text = "the dogs run and the cats sleep";
  writeFileSync(join(folder, "texts.jsonl"), `${JSON.stringify({ text })}\n`.repeat(40));
  const measured: { readonly [name: string]: unknown }[] = [];
  const config = configSchemas.pretrain.parse({
    datasets: [{ path: "json", data_files: join(folder, "texts.jsonl") }],
    output_dir: join(folder, "out"),
    model_type: "llama",
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    vocab_size: 264,
    initializer_range: 1e-8,
    block_size: 16,
    validation_share: 0.25,
    max_steps: 1,
    eval_strategy: "epoch",
    eval_on_start: true,
    save_strategy: "no",
    report_to: "none",
  });
  await pretrain(config, {
    resume: false,
    signal: new AbortController().signal,
    tracker: { metrics: (row) => measured.push(row), samples() {}, event() {}, progress() {}, async close() {} },
  });
  const tokenizer = await loadTokenizer(join(folder, "out"));
  // The end token, too, and for the bytes the end of the text.
  const tokens = tokenizer.encode(text).length + 1;
  expect(measured[0]["eval_bits_per_byte"]).toBeCloseTo((Math.log2(tokenizer.vocabSize) * tokens) / (text.length + 1), 4);
});
