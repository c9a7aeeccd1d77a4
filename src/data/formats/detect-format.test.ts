import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Row } from "../row.ts";
import { detectFormat } from "./detect-format.ts";
import type { ExampleFor, Purpose } from "./example.ts";
import { splitSharedPrompt } from "./implicit-prompt.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

function convert<P extends Purpose>(row: Row, purpose: P, hasChatTemplate = true): [string, ExampleFor[P]] {
  const format = detectFormat(row, purpose, { hasChatTemplate });
  expect(format.announcement).not.toBe("");
  return [format.name, format.convert(row)];
}

describe("detectFormat", () => {
  it("knows TRL's formats", () => {
    expect(convert({ text: "hi" }, "text")).toEqual(["text", { kind: "text", text: "hi" }]);
    expect(convert({ messages: [user("q"), assistant("a")] }, "text")).toEqual([
      "messages",
      { kind: "messages", messages: [user("q"), assistant("a")] },
    ]);
    expect(convert({ prompt: "p", completion: "c" }, "text")).toEqual([
      "prompt-completion",
      { kind: "prompt-completion", prompt: "p", completion: "c" },
    ]);
    expect(convert({ prompt: [user("q")], answer: 42 }, "prompt")).toEqual(["prompt-only", { kind: "prompt", prompt: [user("q")] }]);
    expect(convert({ prompt: "p", chosen: "c", rejected: "r", margin: "0.5" }, "preference")).toEqual([
      "preference",
      { kind: "preference", prompt: "p", chosen: "c", rejected: "r", margin: 0.5 },
    ]);
    expect(convert({ chosen: [user("q"), assistant("a")], rejected: [user("q"), assistant("b")] }, "preference")[1]).toEqual({
      kind: "preference",
      prompt: [user("q")],
      chosen: [assistant("a")],
      rejected: [assistant("b")],
    });
    expect(convert({ prompt: "p", completion: "c", label: "False" }, "unpaired")[1]).toEqual({
      kind: "unpaired",
      prompt: "p",
      completion: "c",
      label: false,
    });
  });

  it("takes a text prompt beside whole conversations for a copy, as UltraFeedback has it", () => {
    const row = { prompt: "q", chosen: [user("q"), assistant("a")], rejected: [user("q"), assistant("b")] };
    expect(convert(row, "preference")).toEqual([
      "preference-implicit-prompt",
      { kind: "preference", prompt: [user("q")], chosen: [assistant("a")], rejected: [assistant("b")] },
    ]);
  });

  it("knows Alpaca, with a chat template and without", () => {
    const row = { instruction: "Add.", input: "1 2", output: "3", rejected: "4" };
    expect(convert(row, "text")).toEqual([
      "alpaca-preference",
      { kind: "prompt-completion", prompt: [user("Add.\n\n1 2")], completion: [assistant("3")] },
    ]);
    expect(convert(row, "preference", false)[1]).toEqual({
      kind: "preference",
      prompt: "### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n",
      chosen: "3",
      rejected: "4",
    });
    expect(convert({ instruction: "Go.", input: "", output: "x" }, "prompt", false)[1]).toEqual({
      kind: "prompt",
      prompt: "### Instruction:\nGo.\n\n### Response:\n",
    });
  });

  it("knows HH-RLHF dialogues", () => {
    const row = { chosen: "\n\nHuman: hi\n\nAssistant: Yes, sure", rejected: "\n\nHuman: hi\n\nAssistant: Yes, no" };
    expect(convert(row, "preference")).toEqual([
      "hh-rlhf",
      { kind: "preference", prompt: "\n\nHuman: hi\n\nAssistant: Yes,", chosen: " sure", rejected: " no" },
    ]);
    expect(convert(row, "prompt")[1]).toEqual({ kind: "prompt", prompt: "\n\nHuman: hi\n\nAssistant:" });
    expect(convert(row, "text")[1]).toEqual({ kind: "prompt-completion", prompt: "\n\nHuman: hi\n\nAssistant:", completion: " Yes, sure" });
  });

  it("knows ShareGPT, its roles and its preference pairs", () => {
    const conversations = [
      { from: "human", value: "q" },
      { from: "gpt", value: "a" },
    ];
    expect(convert({ conversations, system: "s" }, "text")[1]).toEqual({
      kind: "messages",
      messages: [{ role: "system", content: "s" }, user("q"), assistant("a")],
    });
    expect(convert({ conversations }, "prompt")[1]).toEqual({ kind: "prompt", prompt: [user("q")] });
    const pair = { conversations: conversations.slice(0, 1), chosen: { from: "gpt", value: "a" }, rejected: { from: "gpt", value: "b" } };
    expect(convert(pair, "preference")).toEqual([
      "sharegpt-preference",
      { kind: "preference", prompt: [user("q")], chosen: [assistant("a")], rejected: [assistant("b")] },
    ]);
  });

  it("takes token ids with labels and masks", () => {
    expect(convert({ input_ids: [5, 6, 7], labels: [-100, 6, 7], assistant_masks: [1, 1, 0] }, "text")[1]).toEqual({
      kind: "ids",
      inputIds: [5, 6, 7],
      mask: Uint8Array.of(0, 1, 0),
    });
    expect(() => convert({ input_ids: [5, 6], labels: [5, 9] }, "text")).toThrow(/labels\[1\] to be -100 or the id 6, found 9/);
    expect(() => convert({ input_ids: [5, 6], labels: [5] }, "text")).toThrow(/as many labels as input_ids \(2\), found 1/);
  });

  it("passes tools and template variables on with conversations only", () => {
    const extras = { tools: '[{"name":"f"}]', chat_template_kwargs: { enable_thinking: false } };
    expect(convert({ prompt: [user("q")], ...extras }, "prompt")[1]).toMatchObject({
      chat: { tools: [{ name: "f" }], variables: { enable_thinking: false } },
    });
    expect(convert({ prompt: "q", ...extras }, "prompt")[1]).toEqual({ kind: "prompt", prompt: "q" });
  });

  it("says what is wrong with a row", () => {
    const format = detectFormat({ prompt: "p", chosen: "c", rejected: "r" }, "preference", { hasChatTemplate: false });
    const found = (row: Row) => () => format.convert(row);
    expect(found({ prompt: "p", chosen: "c" })).toThrow("expected text or messages in column rejected, found nothing");
    expect(found({ prompt: "p", chosen: "", rejected: "r" })).toThrow("column chosen is empty");
    expect(found({ prompt: "p", chosen: [user("c")], rejected: "r" })).toThrow("both as text or both as messages");
    expect(found({ prompt: "p", chosen: "c", rejected: "r", margin: "big" })).toThrow('expected a number in column margin, found "big"');
    expect(found({ prompt: [{ text: "?" }], chosen: "c", rejected: "r" })).toThrow("expected a role in prompt[0], found the keys text");
  });

  it("names the columns found and expected, and how to rename", () => {
    try {
      detectFormat({ question: "q", answer: "a" }, "text", { hasChatTemplate: false, textColumn: "body" }, "x.jsonl");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: "data/columns",
        message: expect.stringMatching(/reading x\.jsonl: .*found question, answer/),
        hint: expect.stringMatching(/\{body\}.*columns: \{question: prompt, answer: completion\}/),
      });
    }
    expect(() => detectFormat({ instruction: "i", output: "o" }, "preference", { hasChatTemplate: false })).toThrow(/preference pairs/);
    expect(() => detectFormat({ text: ["a", "b"], n: 1 }, "text", { hasChatTemplate: false })).toThrow(
      /found text \(an array\), n \(a number\)$/,
    );
  });
});

describe("splitSharedPrompt", () => {
  it("keeps the sides when joined again, and never leaves one empty", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", " ", "🙂", "🙃"), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text, text, (chosen, rejected) => {
        const split = splitSharedPrompt(chosen, rejected);
        expect([split.chosen, split.rejected].map((side) => String(split.prompt) + String(side))).toEqual([chosen, rejected]);
        expect(split.chosen.length > 0 && split.rejected.length > 0).toBe(true);
        expect(split.prompt).not.toMatch(/[\ud800-\udbff]$/);
      }),
    );
  });

  it("gives a space before the difference to the completions, as TRL does", () => {
    expect(splitSharedPrompt("The sky is blue", "The sky is red")).toEqual({ prompt: "The sky is", chosen: " blue", rejected: " red" });
  });
});
