/** recipes/summaries as it is, with a small model, some of its posts, few tokens, and a judge that answers from this machine. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram } from "./program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;
const asked: string[] = [];
const gradeOf = (summary: string): string => Math.min(5, summary.trim().length / 10).toFixed(1);
// Longer summaries are better here; the grade is TeX, as some models write it.
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    const { messages } = JSON.parse(body) as { messages: { content: string }[] };
    const [{ content }] = messages;
    asked.push(content);
    const summary = /### Summary\n([\s\S]*)\n\n### Judgement/.exec(content)?.[1] ?? "";
    const score = gradeOf(summary);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices: [{ message: { content: `Some reasons.\nScore: \\boxed{${score}}` }, finish_reason: "stop" }] }));
  });
});
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-summaries-"));
  const posts = readFileSync(join(root, "recipes/summaries/posts.jsonl"), "utf8").split("\n");
  writeFileSync(join(folder, "posts.jsonl"), posts.slice(0, 8).join("\n"));
  cpSync(join(root, "models/tiny-reviews"), join(folder, "chat"), { recursive: true });
  writeFileSync(
    join(folder, "chat", "chat_template.jinja"),
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const read = <T>(name: string): T[] =>
  readFileSync(join(folder, "run", name), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

test("a judge decides between two summaries of each post, and DPO learns from it", { timeout: 60_000 }, async () => {
  let err = "";
  const streams = { stdout: { write: () => {} }, stderr: { write: (text: string) => void (err += text) } };
  const { port } = server.address() as AddressInfo;
  const changes = {
    model_name_or_path: join(folder, "chat"),
    dataset_name: join(folder, "posts.jsonl"),
    judge_rubric: join(root, "recipes/summaries/summary-v1.md"),
    judge: `openai:http://127.0.0.1:${port}/v1#judge`,
    output_dir: join(folder, "run"),
    num_iterations: 1,
    max_new_tokens: 12,
    num_judgements: 1,
  };
  const words = ["self-rewarding", "--config", join(root, "recipes/summaries/self-rewarding.yaml")];
  const flags = Object.entries(changes).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const code = await runProgram([...words, ...flags], { version: "1", ...streams, env: {} });
  expect(code, err).toBe(0);
  const judged = read<{ answers: { text: string; score: number }[] }>("M2/judgements.jsonl");
  expect(judged).toHaveLength(4);
  expect(asked.length).toBeGreaterThan(4);
  for (const { answers } of judged) {
    expect(answers).toHaveLength(2);
    for (const { text, score } of answers) expect(score).toBe(Number(gradeOf(text)));
  }
  const textOf = (messages: readonly { content: string }[]): string => messages.map(({ content }) => content).join("");
  const pairs = read<{ chosen: { content: string }[]; rejected: { content: string }[] }>("M2/pairs.jsonl");
  expect(pairs.length).toBeGreaterThan(0);
  for (const { chosen, rejected } of pairs) expect(Number(gradeOf(textOf(chosen)))).toBeGreaterThan(Number(gradeOf(textOf(rejected))));
  expect(read<{ step: number }>("metrics.jsonl").map(({ step }) => step)).toEqual([1, 2]);
});
