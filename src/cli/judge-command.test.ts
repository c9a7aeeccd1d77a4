import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { runProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-judge-command-"));
const opened: Server[] = [];
afterAll(() => {
  rmSync(folder, { recursive: true });
  for (const server of opened) server.close();
});

async function spar(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await runProgram(["judge", ...words], {
    version: "0",
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

function write(name: string, ...rows: unknown[]): string {
  writeFileSync(join(folder, name), rows.map((row) => JSON.stringify(row)).join("\n"));
  return join(folder, name);
}

const labels = write(
  "labels.jsonl",
  { prompt: "p", a: "longer", b: "short", labels: ["a", "a", "tie"] },
  { prompt: "p", a: "x", b: "yyy", labels: ["b", "b", "b"] },
  { prompt: "p", a: "same", b: "size", labels: ["tie"] },
);
const pairs = write(
  "pairs.jsonl",
  { prompt: "p", chosen: "wonderful", rejected: "awful" },
  { prompt: "p", chosen: "no", rejected: "great" },
);

describe("spar judge --agree", () => {
  test("prints one row with --json", async () => {
    const { code, out } = await spar("--judge", "rule:length", "--agree", labels, "--json");
    expect(code).toBe(0);
    expect(out.trim().split("\n")).toHaveLength(1);
    const row = JSON.parse(out) as { [key: string]: unknown };
    expect(row).toMatchObject({ n: 3, voids: 0, accuracy: 6 / 7, accuracy_without_ties: 1, position_bias: 0 });
    expect(Object.keys(row).sort()).toEqual(
      ["n", "voids", "accuracy", "accuracy_without_ties", "interval", "cohen_kappa", "fleiss_kappa", "position_bias"].sort(),
    );
    const [low, high] = row["interval"] as [number, number];
    expect(low).toBeLessThan(6 / 7);
    expect(high).toBeGreaterThan(6 / 7);
  });

  test("says the same in words, and writes the report", async () => {
    const page = join(folder, "report.html");
    const { code, out, err } = await spar("--judge", "rule:sentiment", "--agree", pairs, "--report", page);
    expect({ code, err }).toEqual({ code: 0, err: `wrote ${page}\n` });
    expect(out).toMatch(/^rule:sentiment against the labels in .*pairs\.jsonl\n\naccuracy +50\.0 % /);
    expect(readFileSync(page, "utf8")).toMatch(/^<!doctype html>[\s\S]*<svg xmlns/);
    const plot = join(folder, "plot.svg");
    expect((await spar("--judge", "rule:sentiment", "--agree", pairs, "--report", plot)).code).toBe(0);
    expect(readFileSync(plot, "utf8")).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(await spar("--judge", "rule:sentiment", "--agree", pairs, "--report", join(folder, "no/such.html"))).toMatchObject({ code: 1 });
  });

  test("people agree with themselves; what they have not seen is void", async () => {
    const other = write("other.jsonl", { prompt: "p", a: "x", b: "yyy", labels: ["b"] }, { prompt: "new", a: "x", b: "y", labels: ["a"] });
    const { out } = await spar("--judge", `human:${labels}`, "--agree", other, "--json");
    expect(JSON.parse(out)).toMatchObject({ n: 2, voids: 1, accuracy: 1 });
  });

  test("tells all bad lines in one error, before a judge is opened", async () => {
    const bad = write(
      "bad.jsonl",
      { prompt: "p", a: "x", b: "y", labels: ["c"] },
      { prompt: "p", a: "x", b: "y", labels: ["a"] },
      { question: "p" },
    );
    const { code, err } = await spar("--judge", "model:no/such/folder", "--agree", bad);
    expect(code).toBe(1);
    expect(err).toMatch(/2 of 3 rows cannot be used\n.*bad\.jsonl:1: labels: expected "a", "b" or "tie", found "c"\n.*bad\.jsonl:3: /);
    expect((await spar("--judge", "rule:length", "--agree", write("empty.jsonl"))).err).toContain("empty.jsonl is empty");
  });
});

describe("spar judge FILE", () => {
  test("grades answers and compares pairs, a row each in the order given", async () => {
    const answers = write("answers.jsonl", { prompt: "p", completion: "abc", id: 1 }, { prompt: "p", completion: "abcde" });
    const graded = await spar("--judge", "rule:length", answers, "--json");
    expect(
      graded.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      { prompt: "p", completion: "abc", score: 3, judgements: [3], retries: 0 },
      { prompt: "p", completion: "abcde", score: 5, judgements: [5], retries: 0 },
    ]);
    expect(graded.err).toBe("2 answers, mean 4.00 ± 1.41, 0 void, 0 asked twice\n");
    const compared = await spar("--judge", "rule:sentiment", pairs);
    expect(compared.out).toBe("   1  a     wonderful\n   2  b     great\n");
    expect(compared.err).toContain("2 comparisons: 1 a, 1 b, 0 ties, 0 void");
  });

  test("rows of both kinds are an error, and so is a judge that cannot grade", async () => {
    const mixed = write("mixed.jsonl", { prompt: "p", completion: "abc" }, { prompt: "p", a: "x", b: "y" });
    expect((await spar("--judge", "rule:length", mixed)).err).toMatch(
      /mixed\.jsonl:2: completion: expected text or messages, found nothing[\s\S]*not both kinds/,
    );
    const answers = write("answers.jsonl", { prompt: "p", completion: "abc" });
    expect((await spar("--judge", "openai:http://127.0.0.1:9/v1#x", "--pairwise", answers)).err).toMatch(
      /expected two answers to compare, got single answers/,
    );
  });

  test("asks an endpoint with the key of the named variable, and says what it used", async () => {
    const keys: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      keys.push(request.headers.authorization);
      request
        .resume()
        .on("end", () =>
          response.end(
            JSON.stringify({ choices: [{ message: { content: "Score: 4" } }], usage: { prompt_tokens: 100, completion_tokens: 3 } }),
          ),
        );
    });
    opened.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const judge = `openai:http://127.0.0.1:${(server.address() as AddressInfo).port}/v1#tiny`;
    process.env["SPAR_TEST_JUDGE_KEY"] = "sk-test";
    const answers = write("answers.jsonl", { prompt: "p", completion: "abc" });
    const cache = join(folder, "cache");
    const options = [
      "--judge",
      judge,
      "--api-key-env",
      "SPAR_TEST_JUDGE_KEY",
      "--judgements",
      "2",
      "--cache",
      cache,
      "--price-in",
      "5",
      answers,
      "--json",
    ];
    const first = await spar(...options);
    expect(JSON.parse(first.out)).toMatchObject({ score: 4, judgements: [4, 4] });
    expect(first.err).toContain("2 requests (0 repeated), 0 answers from the cache, 200 tokens read, 6 written, cost 0.0010");
    expect((await spar(...options)).err).toContain("0 requests (0 repeated), 2 answers from the cache");
    expect((await spar(...options, "--no-cache")).err).toContain("2 requests");
    expect(keys).toEqual(Array<string>(4).fill("Bearer sk-test"));
    delete process.env["SPAR_TEST_JUDGE_KEY"];
  });
});

test("what is missing or does not fit is a usage error", async () => {
  expect(await spar("--judge", "rule:length")).toMatchObject({ code: 2 });
  expect(await spar("--judge", "rule:length", pairs, "--agree", labels)).toMatchObject({ code: 2 });
  expect(await spar("--judge", "rule:length", pairs, "--report", "x.html")).toMatchObject({ code: 2 });
  expect(await spar(pairs)).toMatchObject({ code: 2 });
  expect(await spar("--judge", "rule:length", pairs, "--judgements", "0")).toMatchObject({ code: 2 });
  expect((await spar("--judge", "nobody", pairs)).err).toMatch(/expected model:FOLDER-OR-ID, openai:URL#MODEL, .* got "nobody"/);
});

test("--help teaches the forms of judges and rows", async () => {
  const { out } = await spar("--help");
  for (const form of [
    "model:FOLDER-OR-ID",
    "openai:URL#MODEL",
    "reward:FOLDER",
    "rule:NAME",
    "human:labels.jsonl",
    "{prompt, chosen, rejected}",
  ])
    expect(out).toContain(form);
});

test("a rubric of one's own goes to a model here", async () => {
  const rubric = join(folder, "reviews.md");
  writeFileSync(rubric, "---\nname: r\nkind: grade\nanswers: {' bad': 0, ' good': 1}\n---\nReview: {prompt}{answer}\nVerdict:");
  const model = fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url));
  const { code, out } = await spar("--judge", `model:${model}`, "--mode", "expected", "--rubric", rubric, "--agree", pairs, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ n: 2, voids: 0 });
  const shipped = await spar("--judge", `model:${model}`, "--mode", "expected", "--agree", pairs);
  expect(shipped).toMatchObject({ code: 1 });
  expect(shipped.err).toMatch(/expected each answer to be one token/);
});
