import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { runProgram } from "./program.ts";

const stories = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-eval-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function spar(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const streams = { stdout: { write: (text: string) => void (out += text) }, stderr: { write: (text: string) => void (err += text) } };
  const code = await runProgram(words, { version: "1", ...streams, env: {} });
  return { code, out, err };
}

function write(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return path;
}

const prompts = write(
  "prompts.jsonl",
  ["Once upon a time", "The dog", "Lily", "He"].map((prompt) => ({ prompt })),
);

describe("eval", () => {
  test("prints one row with the win rate, and leaves its reports; --compare reads them", async () => {
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    const words = [
      "eval",
      "--model",
      stories,
      "--against",
      stories,
      "--prompts",
      prompts,
      "--judge",
      "rule:length",
      "--max-new-tokens",
      "8",
    ];
    const { code, out, err } = await spar(...words, "--json", "--output-dir", one);
    expect(code, err).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines).toHaveLength(1);
    const row = JSON.parse(lines[0]) as { [key: string]: unknown };
    expect(row).toMatchObject({ win: 0, tie: 4, lose: 0, n: 4, voids: 0, win_rate: 0.5, interval: [0.5, 0.5], judge: "rule:length" });
    expect(row["length_controlled"]).toBeCloseTo(0.5, 6);
    expect(row).not.toHaveProperty("samples");
    expect(readdirSync(one).sort()).toEqual(["report.html", "report.json", "report.md", "samples.jsonl"]);
    expect(readFileSync(join(one, "samples.jsonl"), "utf8").trim().split("\n")).toHaveLength(4);
    expect((await spar(...words, "--output_dir", two, "--limit", "2")).out).toMatch(/Not proven/);

    const again = await spar(...words, "--output-dir", one);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("is not empty") as string });

    const compared = await spar("eval", "--compare", one, two, "--json", "--output-dir", join(folder, "compared"));
    expect(compared.code, compared.err).toBe(0);
    expect(JSON.parse(compared.out)).toMatchObject({ kind: "comparison", runs: [{ name: one }, { name: two }] });
    expect(compared.err).toMatch(/measured on different prompts/);
    expect(readdirSync(join(folder, "compared")).sort()).toEqual(["comparison.html", "comparison.json", "comparison.md"]);
  });

  test("a judge that fails leaves the answers, and says where they are", async () => {
    const lost = join(folder, "lost");
    // Port 9 of this machine answers nobody.
    const judge = ["--judge", "openai:http://127.0.0.1:9/v1#x", "--retries", "0", "--timeout", "5", "--no-cache"];
    const more = ["--judge-temperature", "0", "--judge-top-p", "1", "--judge-max-new-tokens", "4", "--judge-seed", "1"];
    const words = ["eval", "--model", stories, "--prompts", prompts, "--max-new-tokens", "4", "--price-in", "1", "--price-out", "1"];
    const { code, err } = await spar(...words, ...judge, ...more, "--output-dir", lost);
    expect(code).toBe(1);
    expect(err).toContain("(x) ");
    expect(err).not.toContain("attempts)");
    expect(err).toContain(`the answers were written before it failed: ${join(lost, "samples.jsonl")}`);
    expect(readFileSync(join(lost, "samples.jsonl"), "utf8").trim().split("\n")).toHaveLength(4);
  });

  test.each([
    [["--reward", "rule:nope"], /nope/],
    [["--judge", "rule:nope"], /nope/],
    [["--judge", "human:nowhere.jsonl"], /nowhere\.jsonl/],
    [["--judge", "model:nowhere"], /nowhere/],
    [["--judge", "openai:http://127.0.0.1:9/v1#x", "--rubric", "pairwise-v1"], /only compares; expected a second model/],
  ])("%j is refused before anything is answered", async (words, message) => {
    const output = join(folder, "refused");
    const { code, err } = await spar("eval", "--model", stories, "--prompts", prompts, ...words, "--output-dir", output);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toContain("were written");
    expect(existsSync(output) ? readdirSync(output) : []).toEqual([]);
  });

  test.each([
    [["--prompts", prompts], /expected --model, or --compare/],
    [["--model", stories], /expected at least one of --prompts/],
    [["--model", stories, "--against", stories, "--prompts", prompts], /--against with --prompts needs --judge or --reward/],
    [["--model", stories, "--gsm8k", "g.jsonl", "--reward", "rule:length"], /--reward and --reference need --prompts/],
    [["--model", stories, "--mt-bench", "m.jsonl"], /--mt-bench needs --judge/],
    [["--model", stories, "--prompts", prompts, "--shots", "2"], /--shots needs --gsm8k/],
    [["--model", stories, "--compare", "a", "b"], /expected no --model beside it/],
  ])("%j is a usage error", async (words, message) => {
    const { code, err } = await spar("eval", ...words);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test("bad rows and bad names are told before anything is computed, all of them, and nothing is written", async () => {
    const target = join(folder, "never");
    const bad = write("bad.jsonl", [{ prompt: "a" }, "{", { question: "b" }, { prompt: 3 }]);
    const rows = await spar("eval", "--model", stories, "--prompts", bad, "--output-dir", target);
    expect(rows.code).toBe(1);
    expect(rows.err).toMatch(/3 of 4 rows cannot be used[^]*bad\.jsonl:2:[^]*bad\.jsonl:3:[^]*bad\.jsonl:4:/);
    const gsm8k = write("gsm.jsonl", [{ question: "a", answer: "none" }, { answer: "#### 1" }]);
    expect((await spar("eval", "--model", stories, "--gsm8k", gsm8k, "--output-dir", target)).err).toMatch(
      /gsm\.jsonl:1: answer[^]*gsm\.jsonl:2: question/,
    );
    expect((await spar("eval", "--model", stories, "--prompts", prompts, "--judge", "nobody", "--output-dir", target)).err).toMatch(
      /Judge: expected model:/,
    );
    const missing = await spar("eval", "--compare", join(folder, "x"), join(folder, "y"), "--output-dir", target);
    expect(missing.err).toMatch(/2 of 2 results cannot be read[^]*x: expected report\.json[^]*y: expected/);
    expect(existsSync(target)).toBe(false);
  });
});

describe("serve", () => {
  test("another address than this machine's needs a key", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.1.2", "box.lan"]) {
      const { code, err } = await spar("serve", "--model", stories, "--host", host);
      expect(code).toBe(2);
      expect(err).toMatch(/lets other machines in; expected a key/);
    }
    expect(await spar("serve", "--model", stories, "--api-key", "")).toMatchObject({ code: 2 });
    expect(await spar("serve", "--model", stories, "--port", "70000")).toMatchObject({ code: 2 });
  });
});
