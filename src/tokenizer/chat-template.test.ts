import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "./chat-template.ts";
import { createTokenizer } from "./hugging-face.ts";

const readFixture = (path: string) => readFileSync(new URL(`../../test/fixtures/tokenizers/${path}`, import.meta.url), "utf8");
type Golden = {
  messages: ChatMessage[];
  cases: { name: string; template: string; full: string; prompt: string; ids: number[]; mask?: number[]; tools?: string }[];
};
const golden = JSON.parse(readFixture("chat-golden.json")) as Golden;
const { messages } = golden;
const json = readFixture("byte-level/tokenizer.json");
const config = JSON.stringify({ eos_token: "<|im_end|>", bos_token: { content: "<|endoftext|>" } });
const create = (template: string, more: { [name: string]: string } = {}) =>
  createTokenizer({ "tokenizer.json": json, "tokenizer_config.json": config, "chat_template.jinja": template, ...more });

describe.each(golden.cases)("$name renders as in Transformers", ({ template, full, prompt, ids, tools }) => {
  const tokenizer = create(template);
  test("texts and ids", () => {
    expect(tokenizer.applyChatTemplate(messages)).toBe(full);
    expect(tokenizer.applyChatTemplate(messages.slice(0, 4), { addGenerationPrompt: true })).toBe(prompt);
    expect(tokenizer.encodeChat(messages)).toEqual(ids);
    if (tools)
      expect(
        tokenizer.applyChatTemplate(messages.slice(0, 2), {
          tools: [{ type: "function", function: { name: "f", é: [1, 2.5, null, true] } }],
        }),
      ).toBe(tools);
  });
});

test.each(golden.cases.filter(({ mask }) => mask))("$name has Transformers' assistant mask", ({ template, ids, mask }) => {
  const tokenizer = create(template);
  const found = tokenizer.encodeChatWithMask(messages);
  expect(found.ids).toEqual(ids);
  expect([...found.assistantMask]).toEqual(mask);
  // Cut off inside the last message, the mask is cut off with it.
  const cut = tokenizer.encodeChatWithMask(messages, { continueFinalMessage: true });
  expect(cut.assistantMask).toHaveLength(cut.ids.length);
  expect(cut.assistantMask.at(-1)).toBe(1);
});

test("without {% generation %} the mask is what assistant turns add, up to the end token", () => {
  const tokenizer = create(golden.cases[0]!.template);
  const { ids, assistantMask } = tokenizer.encodeChatWithMask(messages);
  const kept = tokenizer.decode(ids.filter((_, i) => assistantMask[i] === 1));
  // The second turn begins with spaces: its first token also holds the line break before it.
  expect(kept).toBe("The file is empty.<|im_end|>\n  Yes: it has no tokens. <|im_end|>");
});

test("a template that rewrites earlier turns cannot be masked, and says so", () => {
  const tokenizer = create("{% for m in messages %}{{ m.role ~ ':' ~ (m.content if loop.last else '…') ~ ';' }}{% endfor %}");
  expect(() => tokenizer.encodeChatWithMask(messages)).toThrow(/message 3 differently/);
});

test("the last message can be continued", () => {
  const tokenizer = create(golden.cases[0]!.template);
  const text = tokenizer.applyChatTemplate([messages[1]!, { role: "assistant", content: "The fi" }], { continueFinalMessage: true });
  expect(text.endsWith("<|im_start|>assistant\nThe fi")).toBe(true);
  expect(() => tokenizer.applyChatTemplate(messages, { continueFinalMessage: true, addGenerationPrompt: true })).toThrow(
    /generation prompt/,
  );
});

test("where templates are found: files before config, lists by name", () => {
  const list = JSON.stringify({
    chat_template: [
      { name: "default", template: "D" },
      { name: "tool_use", template: "T" },
    ],
  });
  const several = createTokenizer({ "tokenizer.json": json, "tokenizer_config.json": list });
  expect(several.applyChatTemplate([])).toBe("D");
  expect(several.applyChatTemplate([], { tools: [{}] })).toBe("T");
  expect(several.applyChatTemplate([], { template: "tool_use" })).toBe("T");
  expect(() => several.applyChatTemplate([], { template: "x" })).toThrow(/no chat template "x" \(it has default, tool_use\)/);
  expect(create("J", { "tokenizer_config.json": '{"chat_template":"C"}' }).applyChatTemplate([])).toBe("J");
  expect(createTokenizer({ "tokenizer.json": json, "chat_template.json": '{"chat_template":"O"}' }).applyChatTemplate([])).toBe("O");
  expect(create("D", { "additional_chat_templates/rag.jinja": "R" }).applyChatTemplate([], { template: "rag" })).toBe("R");
  const none = createTokenizer({ "tokenizer.json": json });
  expect(none.hasChatTemplate).toBe(false);
  expect(() => none.applyChatTemplate(messages)).toThrow(/no chat template/);
});

test("variables reach the template; its own errors and syntax errors are told", () => {
  expect(create("{{ 'on' if enable_thinking else 'off' }}").applyChatTemplate([], { variables: { enable_thinking: true } })).toBe("on");
  expect(() => create("{{ raise_exception('roles must alternate') }}").applyChatTemplate([])).toThrow(
    /Rendering the chat template.*roles must alternate/,
  );
  expect(() => create("{% for %}").applyChatTemplate([])).toThrow(/Parsing the chat template/);
});
