import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { combineScores } from "./combine.ts";
import { createRewards, joinRewards, parseRewardSpec } from "./create-rewards.ts";
import { loadModuleReward } from "./js-module.ts";
import type { RewardRow } from "./reward.ts";

const rows: RewardRow[] = ["a", "bcd"].map((completion) => ({
  prompt: "p",
  completion,
  prompt_ids: [1],
  completion_ids: [2],
  label: completion,
}));
let folder: string;
let count = 0;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "spar-rewards-"))));
afterAll(() => rm(folder, { recursive: true }));

async function writeModule(code: string): Promise<string> {
  const name = `./reward${count++}.mjs`;
  await writeFile(join(folder, name), code);
  return name;
}
const scoreWith = async (code: string) => (await loadModuleReward(await writeModule(code), folder)).score(rows);

describe("parseRewardSpec", () => {
  it("tells the kinds apart", () => {
    const kinds = [
      "rule:length?target=5",
      "https://host/score",
      "./my.mjs",
      "rewards/a.ts",
      "org/name@main",
      "../models/rm",
      "rm.js.d",
    ].map((spec) => parseRewardSpec(spec).kind);
    expect(kinds).toEqual(["rule", "http", "module", "module", "model", "model", "model"]);
    expect(() => parseRewardSpec(" ")).toThrow(/empty text/);
  });
});

describe("combineScores", () => {
  it("adds what applies, and is NaN where nothing does", () => {
    expect([
      ...combineScores(
        [
          [1, null, null, 0],
          [10, 20, null, null],
        ],
        [0.5, 2],
      ),
    ]).toEqual([20.5, 40, NaN, 0]);
    expect([...combineScores([[]], [1])]).toEqual([]);
    expect(() => combineScores([[1]], [])).toThrow(/one weight for each of 1 rewards/);
  });
});

describe("loadModuleReward", () => {
  it("gives the function the rows with their columns; promises and nulls are fine", async () => {
    expect(await scoreWith("export default (rows) => rows.map((row) => row.label.length)")).toEqual([1, 3]);
    expect(await scoreWith("export default async (rows) => [null, rows[1].completion_ids[0]]")).toEqual([null, 2]);
    expect(await scoreWith("export default () => Float32Array.of(0.5, 1.5)")).toEqual([0.5, 1.5]);
  });

  it.each([
    ["export default 3", /expected a function as default export, got a default export of type number/],
    ["export const score = () => []", /got no default export \(only score\)/],
    ["export default () => [1]", /expected a list of 2 numbers .* got 1/],
    ["export default () => 1", /got a value of type number/],
    ["export default () => null", /got null/],
    ["export default () => [1, NaN]", /got NaN for row 1/],
    ["export default () => [undefined, 1]", /got undefined for row 0/],
    ["export default () => ['1', 1]", /got "1" for row 0/],
    ["export default () => { throw new Error('no such luck') }", /failed: no such luck/],
    ["export default (", /Loading the reward .*reward\d+\.mjs: ./],
  ])("%s", async (code, message) => {
    await expect(scoreWith(code)).rejects.toThrow(message);
  });

  it("names a missing file", async () => {
    await expect(loadModuleReward("./none.mjs", folder)).rejects.toThrow(/there is no file .*none\.mjs/);
  });
});

describe("createRewards", () => {
  it("scores with all, weights them and names them apart", async () => {
    const set = await createRewards(["rule:length", await writeModule("export default () => [1, null]"), "rule:length?target=1"], {
      folder,
      weights: [1, 10, 100],
    });
    expect(set.rewards.map((reward) => reward.name.replace(/\d+$/, "N"))).toEqual(["length", "rewardN", "length-N"]);
    const { total, byReward } = await set.score(rows);
    expect([...total]).toEqual([1 + 10 + 100, 3 - 100]);
    expect(byReward.get("length-2")).toEqual([1, -1]);
    set.release();
  });

  it("releases what was built when a later one fails, and in the end", async () => {
    let released = 0;
    const reward = { name: "r", score: async () => [1], release: () => void released++ };
    const set = joinRewards([reward, reward]);
    set.release();
    expect(released).toBe(2);
    await expect(createRewards(["rule:length", "rule:none"], { folder })).rejects.toThrow(/no such rule/);
    await expect(createRewards(["some/model"], { folder })).rejects.toThrow(/needs a backend/);
    await expect(createRewards([], { folder })).rejects.toThrow(/at least one reward/);
    await expect(createRewards(["rule:length"], { folder, weights: [1, 2] })).rejects.toThrow(/one weight for each of 1 rewards, got 2/);
  });
});
