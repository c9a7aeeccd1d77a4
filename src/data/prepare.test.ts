import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { beforeAll, describe, expect, it } from "vitest";

import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import type { RunEvent } from "../tracking/index.ts";
import { createDataset, loadDataset } from "./dataset.ts";
import type { Row } from "./row.ts";
import { preparePairs, prepareUnpaired } from "./prepare-pairs.ts";
import { preparePrompts } from "./prepare-prompts.ts";
import { packPreparedTexts, prepareTexts } from "./prepare-texts.ts";
import type { DataTokenizer } from "./tokenise-content.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/parity", import.meta.url));
let stories: Tokenizer;
beforeAll(async () => {
  stories = await loadTokenizer(`${fixtures}/models/stories260K`);
});

/** A tokenizer one can read: each character is a token; `\x03` ends, and "ab" merges. `render` plays the chat template. */
const letters: DataTokenizer = {
  eosId: 3,
  specialTokens: { eos_token: "\x03" },
  hasChatTemplate: true,
  encode: (text) => [...text.replaceAll("ab", "\u0100")].map((char) => char.codePointAt(0)!),
  decode: (ids) =>
    Array.from(ids, (id) => String.fromCodePoint(id))
      .join("")
      .replaceAll("\u0100", "ab"),
  encodeChat: (messages, options = {}) => {
    const text = messages.map(({ role, content }) => `${role[0]}:${String(content)}\x03`).join("");
    return letters.encode(options.continueFinalMessage ? text.slice(0, -1) : options.addGenerationPrompt ? `${text}a:` : text);
  },
  encodeChatWithMask: (messages, options) => {
    const ids = letters.encodeChat(messages, options);
    const assistantMask = new Uint8Array(ids.length);
    let isAssistant = messages[0]?.role === "assistant";
    let turn = 0;
    ids.forEach((id, t) => {
      if (isAssistant) assistantMask[t] = 1;
      if (id === 3) isAssistant = messages[++turn]?.role === "assistant";
    });
    return { ids, assistantMask };
  },
};

function collectEvents() {
  const events: RunEvent[] = [];
  return { events, onEvent: (event: RunEvent) => void events.push(event), codes: () => events.map((event) => event.code) };
}

async function prepareLetters(rows: Row[], options: Partial<Parameters<typeof prepareTexts>[1]> = {}) {
  const prepared = await prepareTexts(createDataset(rows), { tokenizer: letters, maxLength: null, ...options });
  return Promise.all(
    Array.from({ length: prepared.count }, async (_, i) => {
      const { inputIds, completionMask } = await prepared.read(i);
      return [letters.decode(inputIds), completionMask.join("")];
    }),
  );
}

describe("the tokens of TRL's own runs", () => {
  it.each(["sft", "sft_accumulate", "reward"])("are counted as TRL counted them at every step of %s", async (run) => {
    const dataset = await loadDataset({ path: "json", data_files: `${fixtures}/runs/${run}/data.jsonl` });
    const log = readFileSync(`${fixtures}/runs/${run}/log.jsonl`, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { [key: string]: number });
    const sizes: number[] = [];
    if (run === "reward") {
      const pairs = await preparePairs(dataset, { tokenizer: stories, maxLength: 128 });
      for (let i = 0; i < pairs.count; i++) {
        const { promptIds, chosenIds, rejectedIds } = await pairs.read(i);
        sizes.push(2 * promptIds.length + chosenIds.length + rejectedIds.length);
      }
    } else {
      sizes.push(...(await prepareTexts(dataset, { tokenizer: stories, maxLength: 128 })).lengths);
    }
    const perStep = run === "sft_accumulate" ? 8 : 4;
    const steps = log.filter((row) => row["loss"] !== undefined);
    expect(steps.length).toBeGreaterThan(20);
    let tokens = 0;
    steps.forEach((row, step) => {
      for (const size of sizes.slice(step * perStep, (step + 1) * perStep)) tokens += size;
      expect(tokens).toBe(row["num_tokens"]);
    });
  });
});

describe("prepareTexts", () => {
  it("appends EOS where it lacks and masks the prompt", async () => {
    expect(await prepareLetters([{ text: "hi" }, { text: "ho\x03" }])).toEqual([
      ["hi\x03", "111"],
      ["ho\x03", "111"],
    ]);
    expect(await prepareLetters([{ prompt: "xy", completion: "z" }])).toEqual([["xyz\x03", "0011"]]);
    expect(await prepareLetters([{ prompt: "xy", completion: "z" }], { completionOnlyLoss: false })).toEqual([["xyz\x03", "1111"]]);
  });

  it("starts the completion where prompt and whole part, and says so once", async () => {
    const { events, onEvent } = collectEvents();
    expect(
      await prepareLetters(
        [
          { prompt: "xa", completion: "bz" },
          { prompt: "ya", completion: "b" },
        ],
        { onEvent },
      ),
    ).toEqual([
      ["xabz\x03", "0111"],
      ["yab\x03", "011"],
    ]);
    const warnings = events.filter((event) => event.code === "data/prompt-boundary");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.message).toContain('("a")');
  });

  it("renders messages by the template, which ends turns itself", async () => {
    const messages = [
      { role: "user", content: "q" },
      { role: "assistant", content: "r" },
    ];
    expect(await prepareLetters([{ messages }])).toEqual([["u:q\x03a:r\x03", "11111111"]]);
    expect(await prepareLetters([{ messages }], { assistantOnlyLoss: true })).toEqual([["u:q\x03a:r\x03", "00001111"]]);
    expect(await prepareLetters([{ prompt: messages.slice(0, 1), completion: messages.slice(1) }])).toEqual([
      ["u:q\x03a:r\x03", "00000011"],
    ]);
  });

  it("cuts, and leaves out what has nothing left to learn", async () => {
    const { events, onEvent } = collectEvents();
    const rows = [
      { prompt: "wxyz", completion: "1" },
      { prompt: "w", completion: "123456" },
    ];
    expect(await prepareLetters(rows, { maxLength: 4, onEvent })).toEqual([["w123", "0111"]]);
    expect(events.map((event) => [event.code, event["dropped"] ?? event["truncated"]])).toEqual([
      ["data/format", undefined],
      ["data/rows-dropped", 1],
      ["data/rows-truncated", 1],
    ]);
    expect(await prepareLetters(rows, { maxLength: 4, truncationMode: "keep_end" })).toEqual([
      ["yz1\x03", "0011"],
      ["456\x03", "1111"],
    ]);
    await expect(prepareLetters(rows.slice(0, 1), { maxLength: 2 })).rejects.toMatchObject({ code: "data/empty" });
  });

  it("leaves out texts without a token that something predicts", async () => {
    const { events, onEvent } = collectEvents();
    const rows = [{ text: "" }, { text: "ok" }, { text: "\x03" }];
    expect(await prepareLetters(rows, { onEvent })).toEqual([["ok\x03", "111"]]);
    expect(events.find(({ code }) => code === "data/rows-dropped")).toMatchObject({
      level: "warning",
      message: "2 of 3 rows were left out (empty: no token to learn)",
      dropped: 2,
    });
    await expect(prepareLetters([{ text: "" }, { text: "" }])).rejects.toMatchObject({
      code: "data/empty",
      message: expect.stringContaining("all 2 were left out (empty: no token to learn)"),
    });
  });

  it("says of evaluation rows that they are", async () => {
    const { events, onEvent } = collectEvents();
    await prepareLetters([{ text: "abcdef" }, { text: "" }], { onEvent, role: "evaluation", maxLength: 3 });
    expect(events.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^data: 2 evaluation rows, read as /),
      "1 of 2 evaluation rows were left out (empty: no token to learn)",
      "1 of 2 evaluation rows were cut to max_length",
    ]);
  });

  it("collects bad rows of all parts, with place and expectation", async () => {
    await expect(prepareLetters([{ text: "a" }, { text: 5 }, {}])).rejects.toMatchObject({
      code: "data/bad-rows",
      message: expect.stringMatching(
        /2 of 3 rows[^]*data row 2: expected text in column text, found a number[^]*data row 3: .*found nothing/,
      ),
      hint: expect.stringContaining("{text}"),
    });
  });

  it("refuses conversations without a chat template", async () => {
    await expect(
      prepareLetters([{ messages: [{ role: "user", content: "q" }] }], { tokenizer: { ...letters, hasChatTemplate: false } }),
    ).rejects.toMatchObject({ code: "data/no-chat-template" });
  });

  it("warns of a tokenizer without an end token", async () => {
    const { codes, onEvent } = collectEvents();
    expect(await prepareLetters([{ text: "xy" }], { tokenizer: { ...letters, eosId: undefined, specialTokens: {} }, onEvent })).toEqual([
      ["xy", "11"],
    ]);
    expect(codes()).toContain("data/no-eos");
  });

  it("gives the same rows from memory and from disk, packed or not", async () => {
    const rows = Array.from({ length: 50 }, (_, i) => ({ prompt: "p".repeat(i % 5), completion: "c".repeat(1 + (i % 9)) }));
    for (const storeLimit of [0, 1e9]) {
      const texts = await prepareTexts(createDataset(rows), { tokenizer: letters, maxLength: null, storeLimit });
      expect(letters.decode((await texts.read(13)).inputIds)).toBe("pppccccc\x03");
      expect([...(await texts.read(13)).completionMask]).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1]);
      const packed = await packPreparedTexts(texts, { maxLength: 16, storeLimit });
      let tokens = 0;
      for (let i = 0; i < packed.count; i++) {
        const row = await packed.read(i);
        expect(row.seqLengths!.reduce((sum, n) => sum + n, 0)).toBe(row.inputIds.length);
        expect(row.inputIds.length).toBe(packed.lengths[i]);
        tokens += row.inputIds.length;
      }
      expect(tokens).toBe(texts.lengths.reduce((sum, n) => sum + n, 0));
      await packed.close();
    }
  });
});

describe("preparePairs", () => {
  it("shares the shorter common prefix and keeps the margin", async () => {
    const pairs = await preparePairs(createDataset([{ prompt: "xa", chosen: "bz", rejected: "c", margin: 0.25 }]), {
      tokenizer: letters,
      maxLength: null,
    });
    const { promptIds, chosenIds, rejectedIds, margin } = await pairs.read(0);
    expect([promptIds, chosenIds, rejectedIds].map((ids) => letters.decode(ids))).toEqual(["x", "abz\x03", "ac\x03"]);
    expect([margin, pairs.lengths[0]]).toEqual([0.25, 4]);
  });

  it("leaves out overlong pairs, or cuts them, as the trainer wants", async () => {
    const rows = [
      { prompt: "pp", chosen: "1", rejected: "123456" },
      { prompt: "p", chosen: "1", rejected: "2" },
      { prompt: "ppppp", chosen: "1", rejected: "2" },
    ];
    const { codes, onEvent } = collectEvents();
    const dropped = await preparePairs(createDataset(rows), { tokenizer: letters, maxLength: 5, onEvent });
    expect([dropped.count, dropped.source(0), dropped.dropped]).toEqual([1, 1, 2]);
    expect(codes()).toEqual(["data/format", "data/rows-dropped"]);
    await expect(preparePairs(createDataset(rows.slice(0, 1)), { tokenizer: letters, maxLength: 5 })).rejects.toMatchObject({
      message: expect.stringContaining("all 1 were left out (longer than max_length)"),
      hint: "raise max_length, or shorten the rows",
    });
    const cut = await preparePairs(createDataset(rows), { tokenizer: letters, maxLength: 5, overflow: "keep_start" });
    expect([cut.count, letters.decode((await cut.read(0)).rejectedIds), letters.decode((await cut.read(0)).chosenIds)]).toEqual([
      2,
      "123",
      "1\x03",
    ]);
  });

  it("gives whole sequences that do not depend on where an implicit prompt is split", async () => {
    const row = { chosen: "\n\nHuman: hi\n\nAssistant: yes", rejected: "\n\nHuman: hi\n\nAssistant: yet" };
    const { promptIds, chosenIds } = await (await preparePairs(createDataset([row]), { tokenizer: letters, maxLength: null })).read(0);
    expect(letters.decode([...promptIds, ...chosenIds])).toBe(`${row.chosen}\x03`);
  });

  it("takes rated completions", async () => {
    const rated = await prepareUnpaired(createDataset([{ prompt: "p", completion: "cd", label: true }]), {
      tokenizer: letters,
      maxLength: null,
    });
    expect(await rated.read(0)).toEqual({ promptIds: letters.encode("p"), completionIds: letters.encode("cd\x03"), label: true });
  });
});

describe("preparePrompts", () => {
  it("opens the assistant's turn, or goes on with it, and keeps the row", async () => {
    const rows = [
      { prompt: [{ role: "user", content: "q" }], answer: 4 },
      {
        prompt: [
          { role: "user", content: "q" },
          { role: "assistant", content: "so" },
        ],
      },
      { prompt: "too long a prompt" },
    ];
    const prompts = await preparePrompts(createDataset(rows), { tokenizer: letters, maxPromptLength: 10 });
    expect([prompts.count, prompts.dropped]).toEqual([2, 1]);
    expect(letters.decode((await prompts.read(0)).promptIds)).toBe("u:q\x03a:");
    expect((await prompts.read(0)).row["answer"]).toBe(4);
    expect(letters.decode((await prompts.read(1)).promptIds)).toBe("u:q\x03a:so");
  });
});
