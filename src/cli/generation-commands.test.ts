import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../tokenizer/index.ts";
import { runChatCommand } from "./commands/chat.ts";
import { summarise } from "./commands/logprobs.ts";
import type { ChatMessage } from "../tokenizer/index.ts";
import { createConversation } from "./conversation.ts";
import { createCommandIO } from "./output.ts";
import { runProgram } from "./program.ts";

const models = fileURLToPath(new URL("../../test/fixtures/parity/models", import.meta.url));
const stories = join(models, "stories260K");
const folder = mkdtempSync(join(tmpdir(), "spar-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

function capture(): {
  streams: { stdout: { write(text: string): void }; stderr: { write(text: string): void } };
  out: () => string;
  err: () => string;
} {
  let [out, err] = ["", ""];
  return {
    streams: { stdout: { write: (text) => void (out += text) }, stderr: { write: (text) => void (err += text) } },
    out: () => out,
    err: () => err,
  };
}

async function spar(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const { streams, out, err } = capture();
  const code = await runProgram(words, { version: "1", ...streams, env: {} });
  return { code, out: out(), err: err() };
}

function writeRows(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return path;
}

const parse = (out: string): { [key: string]: unknown }[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });

describe("generate", () => {
  test("--candidates: tasks of answers that differ, the same for any batch size", async () => {
    const path = writeRows("task-prompts.jsonl", [{ prompt: "Once upon a time" }, { prompt: "Lily" }]);
    const run = (...more: string[]): ReturnType<typeof spar> =>
      spar("generate", "--model", stories, "--prompts", path, "--max-new-tokens", "4", "--seed", "3", ...more);
    const { code, out } = await run("--candidates", "2");
    expect(code).toBe(0);
    const rows = parse(out);
    expect(rows.map((row) => Object.keys(row))).toEqual([
      ["prompt", "answer1", "answer2"],
      ["prompt", "answer1", "answer2"],
    ]);
    for (const { answer1, answer2 } of rows) expect(answer1).not.toBe(answer2);
    expect((await run("--candidates", "2", "--batch-size", "1", "--json")).out).toBe(out);
    // One token among the two likeliest: the third answer is not to be had, and nothing is offered twice.
    const few = parse((await run("--candidates", "5", "--max-new-tokens", "1", "--top-k", "2", "--temperature", "5")).out);
    for (const { candidates } of few) {
      const texts = candidates as string[];
      expect(new Set(texts).size).toBe(texts.length);
      expect(texts.length).toBe(2);
    }
    const one = await run("--candidates", "2", "--max-new-tokens", "1", "--top-k", "1", "--temperature", "1");
    expect({ code: one.code, out: one.out }).toEqual({ code: 1, out: "" });
    expect(one.err).toContain("to none of the 2 prompts there are two different answers");
    expect((await run("--candidates", "2", "--temperature", "0")).err).toContain("at temperature 0 they are all the same");
    expect((await run("--candidates", "2", "--n", "2")).code).toBe(2);
  });

  test("gives rows in the order of the prompts and candidates, the same for the same seed and any batch size", async () => {
    const path = writeRows("prompts.jsonl", [{ prompt: "Once upon a time" }, { prompt: "Lily" }, { prompt: "The dog ran" }]);
    const run = (...more: string[]): ReturnType<typeof spar> =>
      spar("generate", "--model", stories, "--prompts", path, "--json", "--n", "2", "--max-new-tokens", "12", "--seed", "3", ...more);
    const { code, out, err } = await run();
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const rows = parse(out);
    expect(rows.map(({ prompt }) => prompt)).toEqual([
      "Once upon a time",
      "Once upon a time",
      "Lily",
      "Lily",
      "The dog ran",
      "The dog ran",
    ]);
    const tokenizer = await loadTokenizer(stories);
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(["prompt", "completion", "prompt_ids", "completion_ids", "logprobs", "finish_reason"]);
      expect(row["prompt_ids"]).toEqual(tokenizer.encode(row["prompt"] as string));
      expect((row["logprobs"] as number[]).length).toBe((row["completion_ids"] as number[]).length);
      expect(row["finish_reason"]).toBe((row["completion_ids"] as number[]).at(-1) === 2 ? "stop" : "length");
    }
    expect(rows[0]["completion_ids"]).not.toEqual(rows[1]["completion_ids"]);
    const alone = parse((await run("--batch-size", "1")).out);
    expect(alone.map((row) => row["completion_ids"])).toEqual(rows.map((row) => row["completion_ids"]));
  });

  test("continues a single prompt in words", async () => {
    const { code, out } = await spar(
      "generate",
      "--model",
      stories,
      "--prompt",
      "Once upon a time",
      "--temperature",
      "0",
      "--max-new-tokens",
      "8",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^Once upon a time, there was .*\n$/);
  });

  test("lists all bad rows with their lines", async () => {
    const path = writeRows("bad.jsonl", [
      { prompt: "fine" },
      { question: "x" },
      "",
      "nope",
      { prompt: "" },
      { prompt: [{ role: "user", content: "hi" }] },
      [1],
    ]);
    const { code, out, err } = await spar("generate", "--model", stories, "--prompts", path, "--json");
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(JSON.parse(err.split("\n")[0]!)).toMatchObject({ code: "data/bad-rows", level: "error" });
    expect(err).toContain("5 of 6 rows cannot be used");
    for (const line of [2, 4, 5, 6, 7]) expect(err).toMatch(new RegExp(`bad\\.jsonl:${line}: \\S`));
    expect(err).not.toContain("bad.jsonl:1:");
  });

  test("refuses an empty prompt as a row's", async () => {
    const { code, err } = await spar("generate", "--model", stories, "--prompt", "fine", "--prompt", "");
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("--prompt: column prompt is empty") });
  });

  test("says what is missing", async () => {
    expect((await spar("generate", "--model", stories, "--prompts", join(folder, "none.jsonl"))).err).toContain("there is no file");
    expect((await spar("generate", "--model", stories, "--prompts", writeRows("empty.jsonl", ["", " "]))).err).toContain("is empty");
    const scoring = await spar("generate", "--model", join(models, "stories260K-score"), "--prompt", "x");
    expect(scoring.code).toBe(1);
    expect(scoring.err).toContain("score head");
  });
});

describe("logprobs", () => {
  test("gives each token's, null at the first, and sums over the completion", async () => {
    const rows = [
      { text: "Once upon a time" },
      { prompt: "Once upon", completion: " a time" },
      { input_ids: [403, 407, 261, 378], labels: [-100, -100, -100, 378] },
    ];
    const { code, out } = await spar("logprobs", "--model", stories, writeRows("texts.jsonl", rows), "--json");
    expect(code).toBe(0);
    const [text, pair, ids] = parse(out) as {
      input_ids: number[];
      logprobs: (number | null)[];
      sum: number;
      mean: number;
      perplexity: number;
    }[];
    expect(Object.keys(text)).toEqual(["input_ids", "logprobs", "sum", "mean", "perplexity"]);
    expect(text.logprobs[0]).toBeNull();
    expect(text.logprobs).toHaveLength(text.input_ids.length);
    expect(pair.input_ids).toEqual(text.input_ids);
    expect(pair.logprobs).toEqual(text.logprobs);
    const own = text.logprobs.slice(1) as number[];
    expect(text.sum).toBeCloseTo(
      own.reduce((a, b) => a + b),
      5,
    );
    expect(pair.sum).toBeCloseTo(
      own.slice(1).reduce((a, b) => a + b),
      5,
    );
    expect(pair.mean).toBeCloseTo(pair.sum / 2, 6);
    expect(pair.perplexity).toBeCloseTo(Math.exp(-pair.mean), 6);
    expect(ids.sum).toBeCloseTo(own[2], 5);
  });

  test("gives scores where the model has a score head", async () => {
    const path = writeRows("scored.jsonl", [{ text: "Once upon a time" }, { prompt: "Lily", completion: " ran" }]);
    const { out } = await spar("logprobs", "--model", join(models, "stories260K-score"), path, "--json");
    for (const row of parse(out)) expect([Object.keys(row), typeof row["score"]]).toEqual([["input_ids", "score"], "number"]);
    const words = await spar("logprobs", "--model", join(models, "stories260K-score"), path);
    expect(words.out).toMatch(/^1: \d+ tokens, score \S+\n2: \d+ tokens, score \S+\n$/);
  });

  test("lists all bad rows with their lines", async () => {
    const path = writeRows("bad-ids.jsonl", [
      { input_ids: [1, 9999] },
      { input_ids: [] },
      { text: "fine" },
      { input_ids: [1, 2], labels: [1] },
    ]);
    const { code, err } = await spar("logprobs", "--model", stories, path);
    expect(code).toBe(1);
    for (const line of [1, 2, 4]) expect(err).toMatch(new RegExp(`bad-ids\\.jsonl:${line}: \\S`));
    expect(err).not.toContain("bad-ids.jsonl:3:");
  });

  test("a row without completion has no mean", () => {
    expect(summarise({ ids: [1, 2], mask: Uint8Array.of(1, 0) }, Float32Array.of(-1))).toMatchObject({
      sum: null,
      mean: null,
      perplexity: null,
    });
  });
});

describe("chat", () => {
  test("keeps the conversation, as text where there is no template", async () => {
    const tokenizer = await loadTokenizer(stories);
    const { streams, err } = capture();
    const io = createCommandIO({ json: false, debug: false, ...streams, env: {} });
    const conversation = createConversation(tokenizer, undefined);
    expect(conversation.ask("Once upon")).toEqual({ ids: tokenizer.encode("Once upon"), leftOut: 0 });
    conversation.answered(" a time");
    expect(conversation.ask(" there was").ids).toEqual(tokenizer.encode("Once upon a time there was"));
    conversation.takeBack();
    const file = join(folder, "chat.jsonl");
    expect(await runChatCommand(`/save ${file}`, conversation, io)).toBe("handled");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ text: "Once upon a time" });
    expect(await runChatCommand("/reset", conversation, io)).toBe("handled");
    expect(conversation.row()).toEqual({ text: "" });
    expect(await runChatCommand("/system x", conversation, io)).toBe("handled");
    expect(err()).toContain("no chat template");
    expect(await runChatCommand("/nothing", conversation, io)).toBe("handled");
    expect(err()).toContain("There is no /nothing");
    expect(await runChatCommand("/save", conversation, io)).toBe("handled");
    expect([
      await runChatCommand("/exit", conversation, io),
      await runChatCommand("hello", conversation, io),
      await runChatCommand("", conversation, io),
    ]).toEqual(["exit", "message", "handled"]);
  });

  test("renders messages through the chat template, the system message first", async () => {
    const { createTokenizer } = await import("../tokenizer/index.ts");
    const template =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    const tokenizer = createTokenizer({ ...(await loadTokenizer(stories)).files, "chat_template.jinja": template });
    const conversation = createConversation(tokenizer, "Be kind.");
    expect(tokenizer.decode(conversation.ask("Hi").ids)).toContain("<system>Be kind.\n<user>Hi\n<assistant>");
    conversation.answered("Hello.");
    conversation.setSystem("Be brief.");
    expect(conversation.row()).toEqual({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello." },
      ],
    });
    // What does not fit any more goes from the start, but for the system message.
    const most = tokenizer.encodeChat([...(conversation.row() as { messages: ChatMessage[] }).messages, { role: "user", content: "So?" }], {
      addGenerationPrompt: true,
    }).length;
    expect(conversation.ask("So?", most).leftOut).toBe(0);
    conversation.answered("Yes.");
    const next = conversation.ask("Why?", most);
    expect(next.leftOut).toBe(1);
    expect(tokenizer.decode(next.ids)).toContain("<system>Be brief.\n<user>So?\n<assistant>Yes.\n<user>Why?\n<assistant>");
    conversation.answered("Because.");
    // A message too long by itself does not cost the others.
    expect(conversation.ask("word ".repeat(100), most)).toMatchObject({ leftOut: 0 });
    conversation.takeBack();
    expect((conversation.row() as { messages: unknown[] }).messages).toHaveLength(5);
    conversation.reset();
    expect(conversation.row()).toEqual({ messages: [{ role: "system", content: "Be brief." }] });
  });
});
