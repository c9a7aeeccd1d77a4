/** What the Chat and Samples rooms compute by themselves, without a browser. */
import { describe, expect, test } from "vitest";
import {
  formatConversation,
  listMessages,
  makeExchange,
  parseConversation,
  shrink,
  type Answer,
  type Conversation,
} from "../../web/src/rooms/chat/conversation.ts";
import { diffTexts } from "../../web/src/rooms/label/word-diff.ts";
import { findScale, listValues } from "../../web/src/rooms/samples/heat-values.ts";
import { mergeDiff } from "../../web/src/rooms/samples/merge-diff.ts";

const answer = (text: string): Answer => ({ model: "m", modelName: "M", state: "done", text, pieces: [{ text }], mode: "chat", seed: 3 });
const talk: Conversation = {
  system: "Be brief.",
  exchanges: [
    { ...makeExchange("a", [answer("left"), answer("right")]), kept: 1 },
    makeExchange("b", [answer("c")]),
    makeExchange("d", []),
  ],
};

describe("conversation", () => {
  test("a question is asked after what was kept before it", () => {
    const said = listMessages(talk, 1).map(({ role, content }) => `${role}: ${content}`);
    expect(said).toEqual(["system: Be brief.", "user: a", "assistant: right", "user: b"]);
    expect(listMessages({ ...talk, system: "" }, 0)).toEqual([{ role: "user", content: "a" }]);
  });

  test("what is saved is loaded again, without tokens", () => {
    const again = parseConversation(formatConversation(talk));
    expect(listMessages(again, 3)).toEqual(listMessages(talk, 3));
    expect(again.exchanges.map(({ kept, answers }) => [kept, answers.length])).toEqual([
      [1, 2],
      [0, 1],
      [0, 0],
    ]);
    expect(again.exchanges.flatMap(({ answers }) => answers.flatMap(({ pieces }) => pieces))).toEqual([]);
  });

  test("only the newest exchanges keep their tokens in this browser", () => {
    expect(shrink(talk, 2).exchanges.map(({ answers }) => answers.map(({ pieces }) => pieces.length))).toEqual([[0, 0], [1], []]);
  });

  test("rows of the terminal's chat are read; others are refused in words", () => {
    const messages = [
      { role: "system", content: "s" },
      { role: "user", content: "u" },
      { role: "assistant", content: "v" },
      { role: "user", content: "w" },
    ];
    const read = parseConversation(JSON.stringify({ messages }));
    expect(listMessages(read, read.exchanges.length)).toEqual(messages);
    expect(parseConversation('{"text": "once"}').exchanges[0]?.user).toBe("once");
    for (const [text, message] of [
      ["{", /not JSON/],
      ["[]", /Expected a conversation/],
      ['{"messages": [{"role": "user"}]}', /expected texts in content/],
      ['{"format": "spar-chat", "exchanges": [{}]}', /has no question/],
      ['{"format": "spar-chat", "exchanges": [{"user": "a", "answers": [{}]}]}', /has no text/],
    ] as const)
      expect(() => parseConversation(text)).toThrow(message);
  });
});

describe("diff as one text", () => {
  test.each([
    ["the plot is dull", "the plot is a joy", "the plot is -dull-+a joy+"],
    ["", "new", "+new+"],
    ["old", "", "-old-"],
    ["same", "same", "same"],
    ["a b c d", "x b y d z", "-a-+x+ b -c-+y+ d+ z+"],
  ])("%j to %j", (before, after, expected) => {
    const parts = mergeDiff(diffTexts(before, after));
    expect(parts.map(({ text, kind }) => (kind === "added" ? `+${text}+` : kind === "removed" ? `-${text}-` : text)).join("")).toBe(
      expected,
    );
  });

  test("both texts can be read out of it", () => {
    const words = (seed: number): string => Array.from({ length: 60 }, (_, i) => "abcdef"[(i * seed * 7 + ((i * i) % 5)) % 6]).join(" ");
    for (let seed = 1; seed < 12; seed++) {
      const [before, after] = [words(seed), words(seed + 3)];
      const parts = mergeDiff(diffTexts(before, after));
      const pick = (kind: "added" | "removed"): string => parts.flatMap((part) => (part.kind === kind ? [] : part.text)).join("");
      expect(pick("added")).toBe(before);
      expect(pick("removed")).toBe(after);
    }
  });
});

describe("heat", () => {
  const heat = {
    score: 3,
    before: 1,
    tokens: [2, -1, 3].map((score, i) => ({ text: String(i), score, ends: i === 2 })),
  };

  test("changes begin at the prompt's score, and add up to the whole", () => {
    expect(listValues(heat, "change")).toEqual([1, -3, 4]);
    expect(listValues(heat, "score")).toEqual([2, -1, 3]);
    expect(listValues({ ...heat, before: null }, "change")).toEqual([0, -3, 4]);
  });

  test("one outlier does not bleach the rest; nothing to colour has a scale all the same", () => {
    const many = {
      ...heat,
      before: 0,
      tokens: Array.from({ length: 200 }, (_, i) => ({ text: "", score: i === 199 ? 1000 : i % 2, ends: false })),
    };
    expect(findScale([many], "change")).toBe(1);
    expect(findScale([], "change")).toBe(1);
    expect(findScale([heat], "score")).toBe(2);
  });
});
