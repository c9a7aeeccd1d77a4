import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { endTokens, loadGenerationConfig, resolveSettings } from "./settings.ts";

test("flags win over generation_config.json, and that over the defaults", () => {
  const config = { temperature: 0.6, top_p: 0.9, top_k: null, eos_token_id: [2, 7], max_new_tokens: 12 };
  expect(resolveSettings({ temperature: 0.3 }, config)).toMatchObject({
    temperature: 0.3,
    topP: 0.9,
    topK: 0,
    minP: 0,
    repetitionPenalty: 1,
    maxNewTokens: 12,
    stopIds: [2, 7],
  });
  expect(resolveSettings({})).toMatchObject({ temperature: 1, topK: 0, topP: 1 });
});

test("do_sample: false is greedy, unless a temperature is asked for", () => {
  expect(resolveSettings({}, { do_sample: false, temperature: 0.6 }).temperature).toBe(0);
  expect(resolveSettings({ temperature: 0.5 }, { do_sample: false }).temperature).toBe(0.5);
  expect(resolveSettings({}, { do_sample: true, temperature: 0.6 }).temperature).toBe(0.6);
});

test("says all that is wrong at once", () => {
  expect(() => resolveSettings({ temperature: -1, topP: 0, maxNewTokens: 0.5 })).toThrow(/max_new_tokens.*temperature.*top_p/);
});

test("endTokens", () => {
  expect([endTokens({ eos_token_id: 3 }), endTokens({ eos_token_id: [1, 2] }), endTokens({ eos_token_id: null }), endTokens({})]).toEqual([
    [3],
    [1, 2],
    [],
    [],
  ]);
});

test("loadGenerationConfig", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spar-generation-"));
  expect(await loadGenerationConfig(folder)).toEqual({});
  await writeFile(join(folder, "generation_config.json"), '{"top_k": 5}');
  expect(await loadGenerationConfig(folder)).toEqual({ top_k: 5 });
  await writeFile(join(folder, "generation_config.json"), "{");
  await expect(loadGenerationConfig(folder)).rejects.toMatchObject({ code: "generation/config-invalid" });
});
