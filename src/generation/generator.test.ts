import { afterAll, describe, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { createParameters } from "../nn/index.ts";
import { freeModel, initializeModel, loadModel, type LanguageModel } from "../models/index.ts";
import { createCpuBackend, type DeviceBuffer } from "../runtime/index.ts";
import { buildGraph, evaluateGraph, input, logSoftmax } from "../tensor/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { createGenerator, type GenerateOptions, type GenerationRequest, type GeneratorOptions } from "./generator.ts";
import type { Completion } from "./completion.ts";
import { createScorer } from "./logprobs.ts";
import type { GenerationSettings } from "./settings.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const backend = createCpuBackend();
const stories = await loadModel(folder, backend);
const tokenizer = await loadTokenizer(folder);
// Sliding window, grouped heads, and weights large enough that tokens differ.
const mistral = initializeModel(
  {
    model_type: "mistral",
    vocab_size: 61,
    hidden_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    intermediate_size: 32,
    max_position_embeddings: 96,
    sliding_window: 5,
    initializer_range: 0.4,
  },
  backend,
  { seed: 3 },
);
afterAll(() => {
  freeModel(stories);
  freeModel(mistral);
  backend.close();
});

async function generate(
  model: LanguageModel,
  requests: readonly GenerationRequest[],
  settings: Partial<GenerationSettings>,
  options: GeneratorOptions & GenerateOptions = {},
): Promise<Completion[]> {
  const generator = createGenerator(model, backend, options);
  try {
    return await generator.generate(requests, settings, options);
  } finally {
    generator.release();
  }
}

const promptOf = (n: number, vocab: number): number[] => Array.from({ length: 1 + ((n * 5) % 11) }, (_, i) => (7 * n + 3 * i * i) % vocab);

describe.each([
  ["mistral", mistral],
  ["stories260K", stories],
])("a row of %s", (_, model) => {
  const requests = Array.from({ length: 9 }, (_, n) => ({ promptIds: promptOf(n, model.config.vocabSize), promptIndex: 100 + n }));
  const settings = { maxNewTokens: 20, seed: 4 };

  test("does not depend on its batch, on refilled slots or on shrinking", async () => {
    // Many rows end early, so that slots are filled again and the batch shrinks.
    const ending = {
      ...settings,
      maxNewTokens: 60,
      stopIds: Array.from({ length: Math.floor(model.config.vocabSize / 12) }, (_, i) => 12 * i),
    };
    const alone = [];
    for (const request of requests) alone.push(...(await generate(model, [request], ending, { maxBatch: 1 })));
    for (const maxBatch of [3, 8]) {
      const together = await generate(model, requests, ending, { maxBatch });
      expect(together.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids));
      for (const [i, { logprobs }] of together.entries())
        for (const [j, logprob] of logprobs.entries()) expect(logprob).toBeCloseTo(alone[i].logprobs[j], 3);
    }
    expect(new Set(alone.map(({ ids }) => ids.length)).size).toBeGreaterThan(3);
  });

  test("has the scorer's log-probabilities", async () => {
    const completions = await generate(model, requests, { ...settings, temperature: 0.7 });
    const scorer = createScorer(model, backend);
    const rows = completions.map(({ request, ids }) => ({
      ids: [...requests[request].promptIds, ...ids],
      from: requests[request].promptIds.length,
    }));
    const scored = await scorer.logprobs(rows, { temperature: 0.7 });
    scorer.release();
    for (const [i, { logprobs }] of completions.entries()) {
      expect(scored[i].logprobs).toHaveLength(20);
      for (const [j, logprob] of logprobs.entries()) expect(Math.abs(logprob - scored[i].logprobs[j])).toBeLessThan(1e-4);
    }
  });

  test("comes with the states that its tokens were drawn from", async () => {
    const ending = { ...settings, stopIds: Array.from({ length: Math.floor(model.config.vocabSize / 12) }, (_, i) => 12 * i) };
    const completions = await generate(model, requests, ending, { maxBatch: 3, states: true });
    for (const { ids, logprobs, states = [] } of completions) {
      expect(states).toHaveLength(ids.length);
      const hidden = input("hidden", "float32", [ids.length, model.config.hiddenSize]);
      const graph = buildGraph({ all: logSoftmax(model.architecture.head(model.config, createParameters(), hidden)) });
      const parameters = [...model.parameters].map(([name, { host }]) => [name, host as Float32Array]);
      const { all } = evaluateGraph(graph, { ...Object.fromEntries(parameters), hidden: states.flatMap((state) => [...state]) });
      for (const [i, id] of ids.entries()) expect(all[i * model.config.vocabSize + id]).toBeCloseTo(logprobs[i], 3);
    }
    expect((await generate(model, requests, settings))[0].states).toBeUndefined();
  });

  test("draws by seed, prompt index and candidate", async () => {
    const [request] = requests;
    const four = await generate(model, [{ ...request, candidates: 4 }], settings);
    expect(four.map(({ request: r, candidate }) => [r, candidate])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
    expect(new Set(four.map(({ ids }) => ids.join())).size).toBe(4);
    const [third] = await generate(model, [{ ...request, firstCandidate: 2 }], settings);
    expect(third.ids).toEqual(four[2].ids);
    const [other] = await generate(model, [{ ...request, promptIndex: 1 }], settings);
    expect(other.ids).not.toEqual(four[0].ids);
    const [reseeded] = await generate(model, [request], { ...settings, seed: 5 });
    expect(reseeded.ids).not.toEqual(four[0].ids);
  });

  test("stays the same with filters that leave everything in", async () => {
    // Filters draw on the host, plain sampling in the graph.
    const inGraph = await generate(model, requests, settings);
    const onHost = await generate(model, requests, { ...settings, topK: model.config.vocabSize, topP: 1, minP: 1e-30 });
    expect(onHost.map(({ ids }) => ids)).toEqual(inGraph.map(({ ids }) => ids));
  });
});

describe("ends", () => {
  const promptIds = tokenizer.encode("Once upon a time");
  const greedy = { temperature: 0, maxNewTokens: 30 };

  test("at an end token, which is part of the ids", async () => {
    const [free] = await generate(stories, [{ promptIds }], greedy, { tokenizer });
    expect(free).toMatchObject({ finishReason: "length" });
    expect(free.ids).toHaveLength(30);
    const end = free.ids[6];
    const [ended] = await generate(stories, [{ promptIds }], { ...greedy, stopIds: [end] }, { tokenizer });
    expect(ended.ids).toEqual(free.ids.slice(0, free.ids.indexOf(end) + 1));
    expect(ended.finishReason).toBe("stop");
  });

  test("at a stop text that lies across tokens", async () => {
    const [free] = await generate(stories, [{ promptIds }], greedy, { tokenizer });
    // "w" + "a" of " was", say: from the middle of one token to the middle of the next.
    const text = free.text as string;
    const stop = text.slice(20, 25);
    const pieces: string[] = [];
    const [stopped] = await generate(
      stories,
      [{ promptIds }],
      { ...greedy, stopTexts: ["never there", stop] },
      { tokenizer, onText: (piece) => pieces.push(piece) },
    );
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(pieces.join("")).toBe(stopped.text);
    expect(stopped.finishReason).toBe("stop");
    expect(free.ids.slice(0, stopped.ids.length)).toEqual(stopped.ids);
    expect(tokenizer.decode([...promptIds, ...stopped.ids])).toContain(stop);
  });

  test("at the model's last position", async () => {
    const [completion] = await generate(mistral, [{ promptIds: promptOf(2, 61) }], { maxNewTokens: 1000 });
    expect(completion).toMatchObject({ finishReason: "length" });
    expect(completion.ids).toHaveLength(96 - promptOf(2, 61).length);
  });

  test("after one token where no more are wanted", async () => {
    const completions = await generate(stories, [{ promptIds }, { promptIds }], { maxNewTokens: 1 });
    expect(completions.map(({ ids, finishReason }) => [ids.length, finishReason])).toEqual([
      [1, "length"],
      [1, "length"],
    ]);
  });

  test("when the signal says so", async () => {
    const controller = new AbortController();
    let count = 0;
    const onText = (): void => {
      if (++count === 4) controller.abort();
    };
    const completions = await generate(stories, [{ promptIds }, { promptIds }, { promptIds }], greedy, {
      maxBatch: 1,
      tokenizer,
      onText,
      signal: controller.signal,
    });
    expect(completions.map(({ finishReason }) => finishReason)).toEqual(["aborted", "aborted", "aborted"]);
    expect(completions[0].ids.length).toBeLessThan(10);
    expect(completions[2].ids).toEqual([]);
  });
});

test("text continues the prompt's, and pieces never hold half a character", async () => {
  const prompt = "Lily said: \u{1f600} caf\u00e9";
  const promptIds = tokenizer.encode(prompt);
  // At a high temperature byte tokens come up, whole characters and broken ones.
  const pieces = new Map<number, string>();
  const requests = Array.from({ length: 24 }, () => ({ promptIds }));
  const completions = await generate(
    stories,
    requests,
    { temperature: 8, maxNewTokens: 40, seed: 2 },
    {
      tokenizer,
      onText(piece, { request }) {
        // A lone half of a surrogate pair would be changed by encoding it.
        expect(Buffer.from(piece).toString()).toBe(piece);
        pieces.set(request, (pieces.get(request) ?? "") + piece);
      },
    },
  );
  const bytes = completions.flatMap(({ ids }) => ids).filter((id) => /^<0x[89A-F]/.test(tokenizer.idToToken(id) ?? ""));
  expect(bytes.length).toBeGreaterThan(5);
  for (const { request, text } of completions) expect(pieces.get(request)).toBe(text);
  const [plain] = await generate(
    stories,
    [{ promptIds: tokenizer.encode("Once upon a time") }],
    { temperature: 0, maxNewTokens: 8 },
    { tokenizer },
  );
  expect(`Once upon a time${plain.text}`).toBe(tokenizer.decode([...tokenizer.encode("Once upon a time"), ...plain.ids]));
});

test("a repetition penalty holds for the prompt's tokens and for the drawn ones", async () => {
  const promptIds = tokenizer.encode("The dog and the dog and the dog and");
  const [free] = await generate(stories, [{ promptIds }], { temperature: 0, maxNewTokens: 40 });
  const [penalised] = await generate(stories, [{ promptIds }], { temperature: 0, maxNewTokens: 40, repetitionPenalty: 1e6 });
  // A huge penalty leaves a seen token only where all others have negative logits.
  const repeats = (ids: readonly number[]): number => ids.filter((id, i) => promptIds.includes(id) || ids.indexOf(id) < i).length;
  expect(repeats(free.ids)).toBeGreaterThan(10);
  expect(repeats(penalised.ids)).toBeLessThan(4);
});

test("refresh makes changed weights count", async () => {
  const model = initializeModel({ ...mistral.config.raw }, backend, { seed: 8 });
  const generator = createGenerator(model, backend);
  const request = [{ promptIds: [1, 2, 3] }];
  const settings = { temperature: 0, maxNewTokens: 12 };
  const before = await generator.generate(request, settings);
  const other = initializeModel({ ...mistral.config.raw }, backend, { seed: 9 });
  for (const [name, buffer] of model.parameters) (buffer.host as Float32Array).set(other.parameters.get(name)?.host as Float32Array);
  generator.refresh();
  const after = await generator.generate(request, settings);
  const expected = await generate(other, request, settings);
  expect(after[0].ids).toEqual(expected[0].ids);
  expect(after[0].ids).not.toEqual(before[0].ids);
  generator.release();
  freeModel(model);
  freeModel(other);
});

describe("refuses", () => {
  test.each([
    [[], "generation/empty-prompt"],
    [new Array(96).fill(1), "generation/prompt-too-long"],
    [[1, 61], "generation/bad-token"],
    [[-1], "generation/bad-token"],
  ])("the prompt %j", async (promptIds, code) => {
    await expect(generate(mistral, [{ promptIds: [1] }, { promptIds }], {})).rejects.toMatchObject({ code });
  });

  test("stop texts without a tokenizer, a score head, odd heads, weights that are no numbers, two calls at once", async () => {
    await expect(generate(mistral, [{ promptIds: [1] }], { stopTexts: ["x"] })).rejects.toMatchObject({ code: "generation/no-tokenizer" });
    const scoring = initializeModel({ ...mistral.config.raw }, backend, { seed: 1, head: "score" });
    expect(() => createGenerator(scoring, backend)).toThrow(/language model/);
    freeModel(scoring);
    const odd = initializeModel({ ...mistral.config.raw, head_dim: 6 }, backend, { seed: 1 });
    expect(() => createGenerator(odd, backend)).toThrow(/multiple of 8/);
    freeModel(odd);
    const broken = initializeModel({ ...mistral.config.raw }, backend, { seed: 1 });
    const norm = broken.parameters.get("model.norm.weight") as DeviceBuffer;
    (norm.host as Float32Array)[0] = NaN;
    for (const settings of [{}, { temperature: 0 }, { topK: 3 }, { topP: 0.5 }, { repetitionPenalty: 2 }]) {
      await expect(generate(broken, [{ promptIds: [1] }], settings)).rejects.toMatchObject({ code: "generation/not-a-number" });
    }
    freeModel(broken);
    const generator = createGenerator(mistral, backend);
    const first = generator.generate([{ promptIds: [1] }], { maxNewTokens: 2 });
    await expect(generator.generate([{ promptIds: [1] }])).rejects.toMatchObject({ code: "generation/busy" });
    expect((await first)[0].ids).toHaveLength(2);
    generator.release();
  });
});

test("nothing asked is nothing given", async () => expect(await generate(mistral, [], {})).toEqual([]));
