import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { freeModel, loadModel } from "../models/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import type { Completion } from "./completion.ts";
import { createGenerator } from "./generator.ts";
import { createLiveGenerator, type LiveToken } from "./live-generator.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const backend = createCpuBackend();
const model = await loadModel(folder, backend);
const tokenizer = await loadTokenizer(folder);
const live = createLiveGenerator(model, backend, { tokenizer, maxBatch: 4 });
afterAll(async () => {
  await live.close();
  freeModel(model);
  backend.close();
});

const prompts = ["Once upon a time", "The", "Lily and her dog went to the", "One day", "He was"].map((text) => tokenizer.encode(text));
const greedy = { temperature: 0, maxNewTokens: 12 };

describe("the live generator", () => {
  test("gives what the batch generator gives, with every kind of settings side by side", async () => {
    const kinds = [
      { temperature: 0 },
      { temperature: 1, seed: 3 },
      { temperature: 0.7, seed: 5 },
      { topP: 0.8, seed: 7 },
      { repetitionPenalty: 1.5, seed: 9 },
    ];
    const together = await Promise.all(
      kinds.map((settings, i) => live.generate({ promptIds: prompts[i], settings: { ...settings, maxNewTokens: 10 + i } })),
    );
    const generator = createGenerator(model, backend, { tokenizer });
    for (const [i, settings] of kinds.entries()) {
      const request = { promptIds: prompts[i], promptIndex: 0 };
      const [alone] = await generator.generate([request], { ...settings, maxNewTokens: 10 + i });
      expect([...together[i].ids]).toEqual([...alone.ids]);
      expect(together[i].text).toBe(alone.text);
      for (const [t, logprob] of together[i].logprobs.entries()) expect(logprob).toBeCloseTo(alone.logprobs[t], 4);
    }
    generator.release();
  });

  test("rows that come later, wait, or outgrow the cache change nothing for each other", async () => {
    const alone = await live.generate({ promptIds: prompts[0], settings: { temperature: 0, maxNewTokens: 400 } });
    const order: number[] = [];
    const started: Promise<Completion>[] = [];
    const long = live.generate({
      promptIds: prompts[0],
      settings: { temperature: 0, maxNewTokens: 400 },
      onToken() {
        // A newcomer every few steps: more than fit at once.
        if (started.length < 9) {
          const at = started.length;
          started.push(
            live.generate({ promptIds: prompts[at % 5], settings: { ...greedy, maxNewTokens: 3 + at } }).then((completion) => {
              order.push(at);
              return completion;
            }),
          );
        }
      },
    });
    expect([...(await long).ids]).toEqual([...alone.ids]);
    const completions = await Promise.all(started);
    expect(completions.map(({ ids }) => ids.length)).toEqual(started.map((_, at) => 3 + at));
    expect(order).toHaveLength(9);
    expect(live.load()).toEqual({ active: 0, waiting: 0 });
  });

  test("a signal ends a row, the running one and the waiting one, and leaves the others alone", async () => {
    const leaving = new AbortController();
    const gone = new AbortController();
    gone.abort();
    const tokens: LiveToken[] = [];
    const rows = [
      live.generate({
        promptIds: prompts[0],
        settings: { temperature: 0, maxNewTokens: 300 },
        signal: leaving.signal,
        top: 2,
        onToken(token) {
          tokens.push(token);
          if (tokens.length === 5) leaving.abort();
        },
      }),
      live.generate({ promptIds: prompts[1], settings: greedy, signal: gone.signal }),
      live.generate({ promptIds: prompts[2], settings: greedy }),
    ];
    const [left, never, stayed] = await Promise.all(rows);
    expect([left.finishReason, left.ids.length]).toEqual(["aborted", 5]);
    expect([never.finishReason, never.ids.length]).toEqual(["aborted", 0]);
    expect([stayed.finishReason, stayed.ids.length]).toEqual(["length", 12]);
    expect(tokens.map(({ top }) => top[0].id)).toEqual([...left.ids]);
    expect(tokens.every(({ top }) => top[0].logprob >= top[1].logprob)).toBe(true);
  });

  test("says what is wrong with a prompt, and that it is closed", async () => {
    await expect(live.generate({ promptIds: [], settings: greedy })).rejects.toMatchObject({ code: "generation/empty-prompt" });
    await expect(live.generate({ promptIds: [99999], settings: greedy })).rejects.toMatchObject({ code: "generation/bad-token" });
    const other = createLiveGenerator(model, backend, { tokenizer });
    const running = other.generate({ promptIds: prompts[0], settings: { temperature: 0, maxNewTokens: 400 } });
    await other.close();
    expect((await running).finishReason).toBe("aborted");
    await expect(other.generate({ promptIds: prompts[0], settings: greedy })).rejects.toMatchObject({ code: "generation/closed" });
  });
});
