import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeNextSteps } from "./label-next-steps.ts";
import { runProgram } from "./program.ts";
import { findSteadyPort } from "./steady-port.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-label-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function spar(...words: string[]): Promise<{ code: number; err: string }> {
  let err = "";
  const streams = { stdout: { write: () => {} }, stderr: { write: (text: string) => void (err += text) } };
  return { code: await runProgram(["label", "--no-open", ...words], { version: "1", ...streams, env: {} }), err };
}

test("options that do not fit are usage errors, before anything is made", async () => {
  const data = join(folder, "tasks.jsonl");
  writeFileSync(data, '{"prompt": "Q", "answer1": "x", "answer2": "y"}\n');
  const out = join(folder, "pairs.jsonl");
  const cases: [string[], string][] = [
    [[], "--data"],
    [["--data", data, "--out", out, "--order", "uncertain"], "--order uncertain needs --reward-model"],
    [
      ["--data", data, "--out", out, "--order", "file", "--reward-model", "m"],
      "--reward-model is for --order uncertain, found --order file",
    ],
    [["--data", data, "--out", data], "the tasks would be overwritten"],
    [["--data", data, "--out", join(folder, "pairs.csv")], "expected a name in .jsonl"],
    [["--data", data, "--overlap", "1.5"], "--overlap: expected a number (at least 0, at most 1)"],
    [["--data", data, "--mode", "best"], "best"],
  ];
  for (const [words, text] of cases) {
    const { code, err } = await spar(...words);
    expect(code, text).toBe(2);
    expect(err).toContain(text);
  }
  expect(existsSync(join(folder, "labels.jsonl"))).toBe(false);
});

test("files that cannot be used are the user's errors", async () => {
  const data = join(folder, "bad.jsonl");
  writeFileSync(data, '{"prompt": "Q", "answer1": "x"}\n{"prompt": "Q"}\n');
  const out = join(folder, "bad", "pairs.jsonl");
  const bad = await spar("--data", data, "--out", out);
  expect(bad.code).toBe(1);
  expect(bad.err).toContain(`${data}:1: expected answer2`);
  expect(bad.err).toContain(`${data}:2: expected answers, found the columns prompt`);
  expect((await spar("--data", join(folder, "none.jsonl"), "--out", out)).err).toContain("none.jsonl");
  const good = join(folder, "good.jsonl");
  writeFileSync(good, '{"prompt": "Q", "answer1": "x", "answer2": "y"}\n');
  expect((await spar("--data", good, "--out", out, "--guidelines", join(folder, "none.md"))).err).toContain(
    "reading guidelines: there is no file",
  );
  expect(existsSync(join(folder, "bad"))).toBe(false);
});

test("the next steps name a recipe only where there is one", () => {
  const files = { data: "my tasks.jsonl", pairsFile: "pairs.jsonl", pairs: 100 };
  expect(describeNextSteps({ ...files, hasRecipes: true })).toContain(
    "spar reward --config recipes/quickstart/reward.yaml --test_split_size 0.1 --dataset_name pairs.jsonl ",
  );
  const elsewhere = describeNextSteps({ ...files, hasRecipes: false });
  expect(elsewhere).not.toContain("recipes");
  expect(elsewhere).toContain("spar reward --model_name_or_path MODEL --dataset_name pairs.jsonl --output_dir runs/labelled-reward");
  expect(elsewhere).toContain("spar ppo --sft_model_path MODEL --reward_model_path runs/labelled-reward --dataset_name 'my tasks.jsonl' ");
});

test("a file has its port, unless another program has it", async () => {
  const port = await findSteadyPort("tasks.jsonl", "127.0.0.1");
  if (port !== 0) expect(await findSteadyPort("tasks.jsonl", "127.0.0.1")).toBe(port);
  const other = createServer();
  const wanted = port === 0 ? 0 : port;
  await new Promise<void>((resolve) => other.listen(wanted, "127.0.0.1", resolve));
  if ((other.address() as AddressInfo).port === port) expect(await findSteadyPort("tasks.jsonl", "127.0.0.1")).toBe(0);
  await new Promise((resolve) => other.close(resolve));
});
