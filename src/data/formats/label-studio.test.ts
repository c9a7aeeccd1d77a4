import { describe, expect, it } from "vitest";

import type { RunEvent } from "../../tracking/index.ts";
import { createDataset } from "../dataset.ts";
import { preparePairs } from "../prepare-pairs.ts";
import { preparePrompts } from "../prepare-prompts.ts";
import type { Row } from "../row.ts";
import type { DataTokenizer } from "../tokenise-content.ts";
import { detectFormat } from "./detect-format.ts";

type Choice = "left" | "right";

/** An annotation as Label Studio exports it, with the keys beside that nobody reads. */
function annotate(selected: Choice | undefined, cancelled = false): Row {
  const result =
    selected === undefined
      ? []
      : [{ id: "x", type: "pairwise", from_name: "comparison", to_name: "comparison", origin: "manual", value: { selected } }];
  return { id: 1, completed_by: 2, was_cancelled: cancelled, ground_truth: false, result };
}

function task(annotations: readonly Row[], data: Row = { prompt: "Which?", answer1: "This.", answer2: "That." }): Row {
  return { id: 7, inner_id: 1, data, annotations, drafts: [], predictions: [] };
}

const convert = (row: Row, hasChatTemplate = false) =>
  detectFormat(task([annotate("left")]), "preference", { hasChatTemplate }).convert(row);

describe("Label Studio's export", () => {
  it("is known by its layout, and says what is taken", () => {
    const format = detectFormat(task([]), "preference", { hasChatTemplate: false });
    expect([format.name, format.announcement]).toEqual([
      "label-studio",
      "tasks of a Label Studio export: the answer that most annotators chose over the other, a line break after the prompt",
    ]);
  });

  it("gives the chosen answer over the other, the prompt on a line of its own", () => {
    expect(convert(task([annotate("left")]))).toEqual({ kind: "preference", prompt: "Which?\n", chosen: "This.", rejected: "That." });
    expect(convert(task([annotate("right")]))).toEqual({ kind: "preference", prompt: "Which?\n", chosen: "That.", rejected: "This." });
    expect(convert(task([annotate("left")], { prompt: "Go on: ", text1: "a", text2: "b" }))).toMatchObject({
      prompt: "Go on: ",
      chosen: "a",
    });
  });

  it("makes turns where the model has a chat template", () => {
    expect(convert(task([annotate("right")]), true)).toEqual({
      kind: "preference",
      prompt: [{ role: "user", content: "Which?" }],
      chosen: [{ role: "assistant", content: "That." }],
      rejected: [{ role: "assistant", content: "This." }],
    });
  });

  it("follows the majority; cancelled, empty and contradictory annotations have no vote", () => {
    const contradiction = {
      ...annotate("left"),
      result: [...(annotate("left")["result"] as Row[]), ...(annotate("right")["result"] as Row[])],
    };
    expect(convert(task([annotate("left"), annotate("right"), annotate("right")]))).toMatchObject({ chosen: "That." });
    expect(convert(task([annotate("right", true), annotate(undefined), contradiction, annotate("left")]))).toMatchObject({
      chosen: "This.",
    });
  });

  it("takes an empty answer for one that ended at once", () => {
    expect(convert(task([annotate("right")], { prompt: "p", answer1: "", answer2: "b" }))).toEqual({
      kind: "preference",
      prompt: "p\n",
      chosen: "b",
      rejected: "",
    });
    expect(() => convert(task([annotate("left")], { prompt: "p", answer1: "", answer2: "" }))).toThrow("both answers are the same");
  });

  it("says what is wrong with a task", () => {
    expect(() => convert(task([annotate("middle" as Choice)]))).toThrow('expected left or right as the selected side, found "middle"');
    expect(() => convert(task([annotate("left")], { prompt: "", answer1: "a", answer2: "b" }))).toThrow("column prompt is empty");
    expect(() => convert(task([annotate("left")], { prompt: "p", answer1: "a" }))).toThrow(
      "expected two answers (answer1, answer2) in data",
    );
    expect(() => convert({ data: { prompt: "p", answer1: "a", answer2: "b" } })).toThrow("expected a list of annotations");
    expect(() => convert({ id: 1, annotations: [] })).toThrow("expected a task with data");
  });

  it("leaves out and counts what nobody decided; their prompts stay prompts", async () => {
    const characters: DataTokenizer = {
      eosId: 3,
      specialTokens: { eos_token: "\x03" },
      hasChatTemplate: false,
      encode: (text) => Array.from(text, (letter) => letter.codePointAt(0) as number),
      decode: (ids) => Array.from(ids, (id) => String.fromCodePoint(id)).join(""),
      encodeChat: () => [],
      encodeChatWithMask: () => ({ ids: [], assistantMask: new Uint8Array() }),
    };
    const tasks = createDataset([
      task([]),
      task([annotate("left", true)]),
      task([annotate("left"), annotate("right")]),
      task([annotate("right")]),
      task([annotate("left")], { prompt: "Long?", answer1: "l".repeat(80), answer2: "s" }),
    ]);
    const events: RunEvent[] = [];
    const pairs = await preparePairs(tasks, { tokenizer: characters, maxLength: 40, onEvent: (event) => void events.push(event) });
    expect(pairs.count).toBe(1);
    expect(pairs.source(0)).toBe(3);
    const { promptIds, chosenIds, rejectedIds } = await pairs.read(0);
    expect([promptIds, chosenIds, rejectedIds].map((ids) => characters.decode(ids))).toEqual(["Which?\n", "That.\x03", "This.\x03"]);
    expect(events.find(({ code }) => code === "data/rows-dropped")).toMatchObject({
      dropped: 4,
      message: "4 of 5 rows were left out (2: without a choice between the answers; 1: annotators are divided; 1: longer than max_length)",
    });
    const prompts = await preparePrompts(tasks, { tokenizer: characters, maxPromptLength: null });
    expect(prompts.count).toBe(5);
    expect(characters.decode((await prompts.read(0)).promptIds)).toBe("Which?\n");
    await expect(preparePairs(createDataset([task([])]), { tokenizer: characters, maxLength: null })).rejects.toThrow(
      "all 1 were left out (without a choice between the answers)",
    );
  });
});
