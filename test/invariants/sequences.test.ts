/** What must not change a number: padding, neighbours in a batch, sharing a prompt, sharing a row, being saved. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeIntoFolder } from "../../src/checkpoint/index.ts";
import { batchRows, freeModel, loadModel, saveModel, scoreHead, type LanguageModel, type SequenceRow } from "../../src/models/index.ts";
import { createFullSequence, createParameters } from "../../src/nn/index.ts";
import { createCpuBackend, type Backend } from "../../src/runtime/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { gather, input } from "../../src/tensor/index.ts";
import { batchPairs } from "../../src/trainers/reward.ts";
import { scoredRow } from "../../src/trainers/language-modelling.ts";
import { createStepProgram, type StepGraph } from "../../src/trainers/step-program.ts";
import { batchScoredRows, scoreTokens, type ScoredRow } from "../../src/trainers/token-losses.ts";
import { selectTrainables } from "../../src/trainers/trainables.ts";
import { createWorkplace, findDifferences, fixtures, readTree, tinyModel, type Workplace } from "./tiny-run.ts";

let backend: Backend;
let model: LanguageModel;
let place: Workplace;
beforeAll(async () => {
  place = createWorkplace();
  backend = createCpuBackend();
  model = await loadModel(tinyModel, backend);
});
afterAll(() => {
  freeModel(model);
  backend.close();
  place.remove();
});

/** Some tokens that no other row has. */
const makeIds = (length: number, salt: number): number[] =>
  Array.from({ length }, (_, t) => 3 + ((t * 37 + salt * 101 + t * t * salt) % 500));
const makeRow = (length: number, salt: number): ScoredRow =>
  scoredRow({ inputIds: makeIds(length, salt), completionMask: new Uint8Array(length).fill(1) });

/** The loss of rows, log-probs of their tokens and the gradient of every parameter. */
async function measure(rows: readonly ScoredRow[]): Promise<{ loss: number; logits: Float32Array; gradients: Map<string, Float32Array> }> {
  const trainables = selectTrainables(model, backend);
  const program = createStepProgram(backend, model.parameters, trainables);
  const batch = batchScoredRows(rows, model.config.maxPositions);
  const weights = new Float32Array(batch.scored).fill(1 / batch.count, 0, batch.count);
  const build = (): StepGraph => {
    const { logits, labels } = scoreTokens(model, createParameters(), batch, { checkpointing: false });
    const { loss } = crossEntropy(logits, labels, input("weights", "float32", [batch.scored]));
    return { loss, metrics: { loss, logits } };
  };
  const results = await program.run(batch.shape, build, { ...batch.inputs, weights });
  const gradients = new Map<string, Float32Array>();
  for (const { name, gradient } of trainables) gradients.set(name, Float32Array.from((await backend.read(gradient)) as Float32Array));
  program.release();
  for (const { gradient } of trainables) gradient.free();
  return { loss: results["loss"][0], logits: results["logits"].slice(0, batch.count * model.config.vocabSize), gradients };
}

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

/** 1e-5 of each tensor's largest gradient: rounding in another order, and nothing more. */
function expectSameGradients(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): void {
  for (const [name, values] of a) {
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    expect(scale, name).toBeGreaterThan(0);
    expect(farthest(values, b.get(name) as Float32Array) / scale, name).toBeLessThan(1e-5);
  }
}

/** A row that is there, and of which nothing counts: it makes the bucket longer and the batch larger. */
const silent = (length: number): ScoredRow => ({ ...makeRow(length, 9), from: [], targets: [] });

describe("language modelling", () => {
  test("longer buckets and more rows change neither loss nor logits nor gradients", async () => {
    const rows = [makeRow(13, 1), makeRow(7, 2)];
    const [plain, padded] = [await measure(rows), await measure([...rows, silent(50), silent(3)])];
    expect(Math.abs(plain.loss - padded.loss)).toBeLessThan(1e-5);
    expect(farthest(plain.logits, padded.logits)).toBeLessThan(1e-4);
    expectSameGradients(plain.gradients, padded.gradients);
  });

  test("a row's logits do not depend on its neighbours; the loss not on their order", async () => {
    const [a, b, c] = [makeRow(9, 3), makeRow(16, 4), makeRow(12, 5)];
    const [all, back, alone] = [await measure([a, b, c]), await measure([c, b, a]), await measure([b])];
    const width = model.config.vocabSize;
    expect(farthest(alone.logits, all.logits.slice(8 * width, (8 + 15) * width))).toBeLessThan(1e-4);
    expect(Math.abs(all.loss - back.loss)).toBeLessThan(1e-5);
    expectSameGradients(all.gradients, back.gradients);
  });

  test("texts in one packed row are as if each had its own", async () => {
    const texts = [makeIds(6, 6), makeIds(11, 7), makeIds(5, 8)];
    const mask = texts.flatMap((ids) => ids.map((_, t) => (t === 0 ? 0 : 1)));
    const packed = scoredRow({ inputIds: texts.flat(), completionMask: Uint8Array.from(mask), seqLengths: texts.map((ids) => ids.length) });
    const [together, apart] = [await measure([packed]), await measure([makeRow(6, 6), makeRow(11, 7), makeRow(5, 8)])];
    expect(Math.abs(together.loss - apart.loss)).toBeLessThan(1e-5);
    expect(farthest(together.logits, apart.logits)).toBeLessThan(1e-4);
    expectSameGradients(apart.gradients, together.gradients);
    // The same row without the borders is another text: this test can fail.
    const blind = await measure([{ ids: packed.ids, from: packed.from, targets: packed.targets }]);
    expect(farthest(blind.logits, apart.logits)).toBeGreaterThan(0.1);
  });

  test("one text has the same loss and logits at every length of bucket up to 128", async () => {
    const row = makeRow(5, 11);
    const first = await measure([row]);
    for (const length of [9, 24, 70, 128])
      expect(farthest((await measure([row, silent(length)])).logits, first.logits), String(length)).toBeLessThan(1e-4);
  });
});

describe("scores", () => {
  async function score(
    scored: LanguageModel,
    rows: readonly SequenceRow[],
    ends: readonly (readonly [row: number, token: number])[],
  ): Promise<Float32Array> {
    const program = createStepProgram(backend, scored.parameters, []);
    const time = Math.max(...rows.map((row) => row.ids.length));
    const { ids, positions, bias } = batchRows(rows, rows.length, time);
    const build = (): { metrics: { scores: ReturnType<typeof scoreHead> } } => {
      const p = createParameters();
      const trunk = scored.architecture.trunk(scored.config, p, createFullSequence(rows.length, time), (body) => body());
      return { metrics: { scores: scoreHead(p, gather(trunk, input("ends", "int32", [ends.length]))) } };
    };
    const results = await program.run("scores", build, {
      ids,
      positions,
      bias,
      ends: Int32Array.from(ends, ([row, token]) => row * time + token),
    });
    program.release();
    return results["scores"];
  }

  // Architectures with learnt positions, rotary positions, a sliding window, biases.
  test.each(["stories260K-score", "gpt2", "mistral", "qwen2", "qwen3"])(
    "%s: a pair in one row has the scores of two rows",
    async (name) => {
      const scored = await loadModel(join(fixtures, "models", name), backend, { head: "score", seed: 5 });
      const pairs = [
        { promptIds: makeIds(8, 1), chosenIds: makeIds(9, 2), rejectedIds: makeIds(4, 3) },
        { promptIds: makeIds(3, 4), chosenIds: makeIds(2, 5), rejectedIds: makeIds(12, 6) },
      ];
      const clamp = (ids: number[]): number[] => ids.map((id) => id % scored.config.vocabSize);
      const own = pairs.map((pair) => ({
        promptIds: clamp(pair.promptIds),
        chosenIds: clamp(pair.chosenIds),
        rejectedIds: clamp(pair.rejectedIds),
      }));
      const rows = [
        ...own.map((pair) => [...pair.promptIds, ...pair.chosenIds]),
        ...own.map((pair) => [...pair.promptIds, ...pair.rejectedIds]),
      ];
      const apart = await score(
        scored,
        rows.map((ids) => ({ ids })),
        rows.map((ids, row) => [row, ids.length - 1]),
      );

      const batch = batchPairs(own, scored.config.maxPositions, 1);
      const program = createStepProgram(backend, scored.parameters, []);
      const results = await program.run(
        "pairs",
        () => {
          const p = createParameters();
          const trunk = scored.architecture.trunk(scored.config, p, createFullSequence(batch.batch, batch.time), (body) => body());
          return { metrics: { scores: scoreHead(p, gather(trunk, input("ends", "int32", [2 * batch.pairs]))) } };
        },
        { ids: batch.inputs["ids"], positions: batch.inputs["positions"], bias: batch.inputs["bias"], ends: batch.inputs["ends"] },
      );
      const together = results["scores"];
      program.release();
      const inOrder = [together[0], together[1], together[batch.pairs], together[batch.pairs + 1]];
      expect(farthest(inOrder, apart)).toBeLessThan(1e-5 * Math.max(1, ...apart.map(Math.abs)));
      expect(new Set(inOrder).size).toBe(4);
      freeModel(scored);
    },
  );
});

describe("saving", () => {
  test.each(["gpt2", "llama", "mistral", "qwen2", "qwen3", "stories260K-score"])(
    "%s: what is saved and loaded has the same bits, and saving it again the same files",
    async (name) => {
      const original = await loadModel(join(fixtures, "models", name), backend);
      const [first, second] = [place.path(name), place.path(`${name}-again`)];
      await writeIntoFolder(first, (folder) => saveModel(original, folder, { padTokenId: 0 }));
      const copy = await loadModel(first, backend);
      expect(copy.head).toBe(original.head);
      expect([...copy.parameters.keys()]).toEqual([...original.parameters.keys()]);
      for (const [parameter, buffer] of original.parameters)
        expect(farthest(copy.parameters.get(parameter)?.host as Float32Array, buffer.host as Float32Array), parameter).toBe(0);
      await writeIntoFolder(second, (folder) => saveModel(copy, folder, { padTokenId: 0 }));
      expect(findDifferences(readTree(first), readTree(second))).toEqual([]);
      freeModel(original);
      freeModel(copy);
    },
  );
});
