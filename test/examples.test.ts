/** The examples at small size, with the smallest model of the fixtures: each must have its effect. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { defaults as scratchDefaults, trainFromScratch, type Round } from "../examples/ppo-from-scratch.ts";
import { runRLHF } from "../examples/rlhf.ts";
import "./half-the-cores.mjs";
import { root } from "./markdown-commands.ts";
import { meanOf } from "./run-page.ts";

const model = join(root, "test/fixtures/parity/models/stories260K");
const folder = mkdtempSync(join(tmpdir(), "spar-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const writeRows = (name: string, rows: readonly object[]): string => {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
};

describe("examples", () => {
  test("ppo-from-scratch.ts raises its reward, in under 200 lines", { timeout: 300_000 }, async () => {
    expect(readFileSync(join(root, "examples/ppo-from-scratch.ts"), "utf8").split("\n").length).toBeLessThan(200);
    const told: Round[] = [];
    const prompts = ["Once upon a time", "Tom and Lily", "The dog was"];
    const rounds = await trainFromScratch(
      { ...scratchDefaults, model, prompts, rounds: 12, batch: 24, newTokens: 20, learningRate: 1e-3 },
      (round) => told.push(round),
    );
    expect(told).toEqual(rounds);
    expect(rounds.map(({ round }) => round)).toEqual([...Array(12).keys()]);
    // The first round is sampled before any step: no distance from the untrained model.
    expect(Math.abs(rounds[0]?.kl as number)).toBeLessThan(1e-3);
    expect(rounds.at(-1)?.kl).toBeGreaterThan(0.5);
    const scores = rounds.map(({ score }) => score);
    expect(meanOf(scores.slice(-3))).toBeGreaterThan(meanOf(scores.slice(0, 3)) + 0.15);
  });

  test("rlhf.ts learns what people prefer, and to write it", { timeout: 300_000 }, async () => {
    // Whoever compares these answers likes women in stories: a rule that a model of this size learns from few pairs.
    const judge = (text: string): number => text.toLowerCase().match(/\b(she|her|lily|mom|girl)\b/g)?.length ?? 0;
    const openings = ["Tom is", "Lily was very", "The dog felt", "They were"];
    const prompts = Array.from({ length: 128 }, (_, i) => ({ prompt: openings[i % openings.length] }));
    const lines: string[] = [];
    const outcome = await runRLHF(
      {
        model,
        prompts: writeRows("prompts.jsonl", prompts),
        compared: 64,
        candidates: 4,
        judge,
        output: join(folder, "rlhf"),
        rewardSteps: 20,
        episodes: 768,
        seed: 1,
      },
      (line) => lines.push(line),
    );
    const accuracies = lines.flatMap((line) => [/accuracy ([\d.]+)/.exec(line)?.[1] ?? []].flat()).map(Number);
    expect(accuracies.at(-1)).toBeGreaterThan(0.8);
    for (const line of readFileSync(join(folder, "rlhf/pairs.jsonl"), "utf8").trim().split("\n")) {
      const { chosen, rejected } = JSON.parse(line) as { chosen: string; rejected: string };
      expect(judge(chosen)).toBeGreaterThan(judge(rejected));
    }
    const scores = lines.flatMap((line) => [/objective\/scores (-?[\d.]+)/.exec(line)?.[1] ?? []].flat()).map(Number);
    expect(scores.length).toBe(6);
    expect(scores.at(-1)).toBeGreaterThan((scores[0] as number) + 0.2);
    expect(outcome.before.length).toBe(240);
    const share = (texts: readonly string[]): number => meanOf(texts.map(judge));
    expect(share(outcome.after)).toBeGreaterThan(share(outcome.before));
    for (const share of [outcome.positiveBefore, outcome.positiveAfter]) expect(share >= 0 && share <= 1).toBe(true);
  });

  test("every example is described in examples/README.md, with the command that runs it", () => {
    const page = readFileSync(join(root, "examples/README.md"), "utf8");
    const programs = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));
    expect(programs.filter((name) => !page.includes(`node examples/${name}`))).toEqual([]);
  });
});
