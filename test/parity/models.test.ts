/** Every architecture against PyTorch: logits, log-probs, loss, all gradients; the left-padded row included. */
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../../src/checkpoint/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { createFullSequence, createParameters, masked, type Sequence } from "../../src/nn/index.ts";
import { createCpuBackend } from "../../src/runtime/index.ts";
import { buildGraph, constant, gather, grad, input, mul, neg, sum, tokenLogprobs, type DType } from "../../src/tensor/index.ts";
import { declareCases, listModels, listUnknown } from "./folder.ts";

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.close());

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    // A NaN must not pass for a small difference.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference;
  }
  return worst;
}

// What the folder has besides models, runs and rl is named here once.
const unknown = listUnknown();
if (unknown.length > 0) declareCases("folder", unknown);

describe.each(declareCases("models", listModels()))("models/$name", ({ path: folder }) => {
  it("equals PyTorch", async () => {
    const expected = await openSafetensors(join(folder, "expected.safetensors"));
    const read = async (tensor: string): Promise<Float32Array> => {
      const target = new Float32Array(expected.info(tensor).shape.reduce((n, d) => n * d, 1));
      await expected.readInto(tensor, target);
      return target;
    };
    const [B, T] = expected.info("input_ids").shape;
    const [ids, mask, labels] = [await read("input_ids"), await read("attention_mask"), await read("labels")];
    const model = await loadModel(folder, backend);
    const V = model.config.vocabSize;

    // The reference's row 0 is padded on the left, and its loss counts the first real token as predicted from the last
    // padding token, whose attention PyTorch makes zero. So the same layout is given here, and that zero too.
    const batch = { ids: Int32Array.from(ids), positions: new Int32Array(B * T), bias: new Float32Array(B * T * T).fill(masked) };
    for (let b = 0; b < B; b++) {
      let position = 0;
      for (let t = 0; t < T; t++) {
        const real = mask[b * T + t] === 1;
        batch.positions[b * T + t] = real ? position++ : 0;
        for (let s = 0; s <= t; s++) if (s === t || (real && mask[b * T + s] === 1)) batch.bias[(b * T + t) * T + s] = 0;
      }
    }
    const real = constant(mask, [B * T, 1]);
    const sequence = createFullSequence(B, T);
    const padded: Sequence = { ...sequence, attend: (q, k, v, options) => mul(sequence.attend(q, k, v, options), real) };
    const p = createParameters();
    const hidden = model.architecture.trunk(model.config, p, padded, (body) => body());
    const logits = model.architecture.head(model.config, p, hidden);
    const rows = input("rows", "int32", [B * (T - 1)]);
    const targets = input("labels", "int32", [B * (T - 1)]);
    const weights = input("weights", "float32", [B * (T - 1)]);
    const { logprobs } = tokenLogprobs(gather(logits, rows), targets);
    const loss = neg(sum(mul(logprobs, weights)));
    const gradients = grad(loss, [...p.all.values()]);
    const names = [...p.all.keys()];
    const graph = buildGraph({ logits, logprobs, loss, ...Object.fromEntries(gradients.map((g, i) => [`grad/${names[i]}`, g])) });

    const rowIds = new Int32Array(B * (T - 1));
    const targetIds = rowIds.slice();
    const weight = new Float32Array(rowIds.length);
    let count = 0;
    for (let b = 0; b < B; b++) {
      for (let t = 1; t < T; t++) {
        const at = b * (T - 1) + t - 1;
        rowIds[at] = b * T + t - 1;
        targetIds[at] = ids[b * T + t];
        if (labels[b * T + t] < 0) continue;
        weight[at] = 1;
        count++;
      }
    }
    const feeds = new Map(model.parameters);
    const feed = async (input: string, dtype: DType, data: Int32Array | Float32Array): Promise<void> => {
      const buffer = backend.allocate({ dtype, shape: graph.inputs.get(input)?.shape ?? [] });
      await backend.write(buffer, data);
      feeds.set(input, buffer);
    };
    await feed("ids", "int32", batch.ids);
    await feed("positions", "int32", batch.positions);
    await feed("bias", "float32", batch.bias);
    await feed("rows", "int32", rowIds);
    await feed("labels", "int32", targetIds);
    await feed(
      "weights",
      "float32",
      weight.map((w) => w / count),
    );
    const results = new Map([...graph.outputs].map(([output, type]) => [output, backend.allocate(type)]));
    const executable = await backend.compile(graph);
    await executable.run(feeds, results);
    executable.release();
    const result = (output: string): Float32Array => results.get(output)?.host as Float32Array;

    expect(Math.abs(result("loss")[0] - (await read("loss"))[0])).toBeLessThan(1e-4);
    const [wantedLogits, wantedLogprobs] = [await read("logits"), await read("token_logprobs")];
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        if (mask[b * T + t] === 0) continue;
        const row = (b * T + t) * V;
        expect(
          maxDifference(result("logits").subarray(row, row + V), wantedLogits.subarray(row, row + V)),
          `logits ${b},${t}`,
        ).toBeLessThan(1e-4);
        if (t > 0 && mask[b * T + t - 1] === 1)
          expect(Math.abs(result("logprobs")[b * (T - 1) + t - 1] - wantedLogprobs[b * T + t])).toBeLessThan(1e-4);
      }
    }
    const compared = expected.names().filter((tensor) => tensor.startsWith("grad/"));
    expect(compared.map((tensor) => tensor.slice(5)).sort()).toEqual([...names].sort());
    for (const tensor of compared) {
      const wanted = await read(tensor);
      // PyTorch's Embedding(padding_idx) drops what flows to the padding token's row; spar never computes padding, so it has no such rule.
      const pad = model.config.raw["pad_token_id"];
      if (typeof pad === "number" && tensor.endsWith("embed_tokens.weight")) {
        for (const values of [wanted, result(tensor)]) values.fill(0, pad * model.config.hiddenSize, (pad + 1) * model.config.hiddenSize);
      }
      const largest = wanted.reduce((m, g) => Math.max(m, Math.abs(g)), 0);
      expect(maxDifference(result(tensor), wanted), tensor).toBeLessThanOrEqual(1e-4 * largest);
    }
    await expected.close();
  });
});
