/** The parts of the labeling room that need no browser. */
import { describe, expect, test } from "vitest";
import type { SubmitAnswer, SubmittedLabel } from "../../src/server/ui/label/protocol.ts";
import { parseKey, type KeyPress } from "../../web/src/rooms/label/label-keys.ts";
import { createOutbox, type Outbox } from "../../web/src/rooms/label/outbox.ts";
import { diffTexts, type DiffPart } from "../../web/src/rooms/label/word-diff.ts";

describe("diffTexts", () => {
  const mark = (parts: readonly DiffPart[]): string => parts.map(({ text, own }) => (own ? `[${text}]` : text)).join("");

  test("marks words of each side only", () => {
    const { left, right, by } = diffTexts("the cat sat down", "the dog sat down now");
    expect([mark(left), mark(right), by]).toEqual(["the [cat] sat down", "the [dog] sat down[ now]", "words"]);
  });

  test("equal texts, empty texts, and texts without anything in common", () => {
    expect(mark(diffTexts("same", "same").left)).toBe("same");
    expect(diffTexts("", "")).toEqual({ left: [], right: [], by: "words" });
    expect(mark(diffTexts("", "new words").right)).toBe("[new words]");
    expect(mark(diffTexts("one two", "three four").left)).toBe("[one two]");
  });

  test("the parts are the text, whatever it is", () => {
    let seed = 1;
    const draw = (count: number): number => (seed = (seed * 48_271) % 2_147_483_647) % count;
    for (let round = 0; round < 200; round++) {
      const make = (): string => Array.from({ length: draw(30) }, () => ["a", "b ", "\n", "ü", "🙂", "!", "  "][draw(7)]).join("");
      const [left, right] = [make(), make()];
      const diff = diffTexts(left, right);
      expect(diff.left.map(({ text }) => text).join("")).toBe(left);
      expect(diff.right.map(({ text }) => text).join("")).toBe(right);
      const isText = ({ own, text }: DiffPart): boolean => !own && text.trim() !== "";
      const common = (parts: readonly DiffPart[]): string =>
        parts
          .filter(isText)
          .map(({ text }) => text)
          .join("")
          .replaceAll(/\s/g, "");
      expect(common(diff.left)).toBe(common(diff.right));
    }
  });

  test("long texts go by lines, very long ones are not compared, and neither takes long", () => {
    const text = (word: string, lines: number): string =>
      Array.from({ length: lines }, (_, i) => `${word} ${String(i % 7)} and more`).join("\n");
    const started = performance.now();
    expect(diffTexts(text("a", 900), text("b", 900)).by).toBe("lines");
    expect(diffTexts(text("a", 5000), text("b", 5000)).by).toBe("none");
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("parseKey", () => {
  const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
    key,
    code: "",
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    repeat: false,
    isComposing: false,
    ...more,
  });

  test("digits go by their place, on French keyboards too", () => {
    expect(parseKey(press("1", { code: "Digit1" }))).toEqual({ kind: "digit", digit: 1, much: false });
    expect(parseKey(press("!", { code: "Digit1", shiftKey: true }))).toEqual({ kind: "digit", digit: 1, much: true });
    expect(parseKey(press("&", { code: "Digit1" }))).toEqual({ kind: "digit", digit: 1, much: false });
    expect(parseKey(press("2", { code: "Numpad2" }))).toEqual({ kind: "digit", digit: 2, much: false });
    // German: Shift+0 is =, a tie.
    expect(parseKey(press("=", { code: "Digit0", shiftKey: true }))).toEqual({ kind: "tie" });
  });

  test("letters go by what is printed, and by their place where that is no Latin letter", () => {
    expect(parseKey(press("s", { code: "Semicolon" }))).toEqual({ kind: "skip" });
    expect(parseKey(press("ы", { code: "KeyS" }))).toEqual({ kind: "skip" });
    expect(parseKey(press("x", { code: "KeyX" }))).toBeNull();
  });

  test("the browser's keys, held keys and unfinished characters are left alone", () => {
    expect(parseKey(press("z", { ctrlKey: true }))).toEqual({ kind: "undo" });
    expect(parseKey(press("z", { metaKey: true }))).toEqual({ kind: "undo" });
    expect(parseKey(press("f", { ctrlKey: true }))).toBeNull();
    expect(parseKey(press("ArrowLeft", { altKey: true }))).toBeNull();
    expect(parseKey(press("1", { code: "Digit1", repeat: true }))).toBeNull();
    expect(parseKey(press("k", { repeat: true }))).toEqual({ kind: "older" });
    expect(parseKey(press("1", { code: "Digit1", isComposing: true }))).toBeNull();
  });
});

describe("createOutbox", () => {
  class MemoryStorage {
    readonly items = new Map<string, string>();
    isFull = false;
    get length(): number {
      return this.items.size;
    }
    key = (at: number): string | null => [...this.items.keys()][at] ?? null;
    getItem = (key: string): string | null => this.items.get(key) ?? null;
    setItem(key: string, value: string): void {
      if (this.isFull) throw new Error("QuotaExceededError");
      this.items.set(key, value);
    }
    removeItem = (key: string): void => void this.items.delete(key);
  }

  const label = (id: string): SubmittedLabel => ({
    id,
    task: `t${id}`,
    annotator: "Ada",
    choice: "left",
    milliseconds: 1,
    guidelinesVersion: 0,
  });
  const nothing = { wanted: 0, given: 0, tasks: 0, annotators: {} };
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

  interface Bench {
    readonly outbox: Outbox;
    readonly sent: string[][];
    readonly timers: (() => void)[];
    answer: (labels: readonly SubmittedLabel[]) => Partial<SubmitAnswer> | Error;
  }

  function openBench(storage: MemoryStorage | null, tab = "tab-1", openTabs: readonly string[] = []): Bench {
    const sent: string[][] = [];
    const timers: (() => void)[] = [];
    const bench: Omit<Bench, "outbox"> = { sent, timers, answer: (labels) => ({ saved: labels.map(({ id }) => id) }) };
    const outbox = createOutbox({
      storage,
      tab,
      isTabOpen: (other) => Promise.resolve(openTabs.includes(other)),
      setTimer: (run) => {
        timers.push(run);
        return () => undefined;
      },
      send: (_, labels) => {
        sent.push(labels.map(({ id }) => id));
        const answer = bench.answer(labels);
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ saved: [], refused: [], progress: nothing, ...answer });
      },
    });
    return Object.assign(bench, { outbox });
  }

  const failure = (status: number): Error => Object.assign(new Error(`status ${String(status)}`), { status });

  test("a label is stored before it is sent, and forgotten only when it is saved", async () => {
    const storage = new MemoryStorage();
    const bench = openBench(storage);
    bench.outbox.add("p", label("1"));
    expect(storage.length).toBe(1);
    expect([...bench.outbox.waiting.value]).toEqual(["1"]);
    await settle();
    expect(storage.length).toBe(0);
    expect(bench.outbox.waiting.value.size).toBe(0);
  });

  test("offline, they wait in their order; the timer sends all", async () => {
    const bench = openBench(new MemoryStorage());
    bench.answer = () => failure(0);
    for (const id of ["1", "2", "3"]) bench.outbox.add("p", label(id));
    await settle();
    expect(bench.outbox.link.value.kind).toBe("offline");
    expect(bench.outbox.waiting.value.size).toBe(3);
    bench.answer = (labels) => ({ saved: labels.map(({ id }) => id) });
    bench.timers.at(-1)?.();
    await settle();
    expect(bench.sent.at(-1)).toEqual(["1", "2", "3"]);
    expect(bench.outbox.link.value.kind).toBe("online");
    expect(bench.outbox.waiting.value.size).toBe(0);
  });

  test("another page finds what is left: its own at once, those of closed tabs with a flush, those of open tabs not", async () => {
    const storage = new MemoryStorage();
    for (const tab of ["tab-1", "tab-2", "tab-3"]) {
      const bench = openBench(storage, tab);
      bench.answer = () => failure(0);
      bench.outbox.add("a project/with signs", label(tab));
      await settle();
    }
    const bench = openBench(storage, "tab-1", ["tab-3"]);
    expect([...bench.outbox.waiting.value]).toEqual(["tab-1"]);
    expect(bench.outbox.waitingIn("a project/with signs").map(({ id }) => id)).toEqual(["tab-1"]);
    await bench.outbox.flush();
    expect(bench.sent.flat().sort()).toEqual(["tab-1", "tab-2"]);
    expect(storage.length).toBe(1);
  });

  test("a full disk on the server, a server that forgot us, too many requests: nothing is given up", async () => {
    for (const status of [401, 404, 422, 429, 500, 503]) {
      const bench = openBench(new MemoryStorage());
      bench.answer = () => failure(status);
      bench.outbox.add("p", label("1"));
      await settle();
      expect(bench.outbox.link.value).toMatchObject({ kind: "trouble", message: `status ${String(status)}` });
      expect(bench.outbox.waiting.value.size).toBe(1);
      expect(bench.outbox.refused.value).toEqual([]);
    }
  });

  test("one label that the server cannot read does not hold up the others, and is shown", async () => {
    const storage = new MemoryStorage();
    const bench = openBench(storage);
    bench.answer = () => failure(0);
    for (const id of ["1", "bad", "3"]) bench.outbox.add("p", label(id));
    await settle();
    bench.answer = (labels) => (labels.some(({ id }) => id === "bad") ? failure(400) : { saved: labels.map(({ id }) => id) });
    await bench.outbox.flush();
    await settle();
    expect(bench.outbox.waiting.value.size).toBe(0);
    expect(bench.outbox.refused.value.map((refusal) => refusal.label.id)).toEqual(["bad"]);
    // Over a reload too, until somebody has put it away.
    const next = openBench(storage);
    expect(next.outbox.refused.value).toHaveLength(1);
    next.outbox.dismiss("bad");
    expect(storage.length).toBe(0);
  });

  test("an answer that says neither yes nor no is asked for again, later and not at once", async () => {
    const bench = openBench(new MemoryStorage());
    bench.answer = () => ({});
    bench.outbox.add("p", label("1"));
    await settle();
    expect(bench.sent).toHaveLength(1);
    expect(bench.timers).toHaveLength(1);
    expect(bench.outbox.waiting.value.size).toBe(1);
  });

  test("without room in the browser, labels still go, and the page is told that they are not safe", async () => {
    const storage = new MemoryStorage();
    storage.isFull = true;
    const bench = openBench(storage);
    expect(bench.outbox.isDurable.value).toBe(true);
    bench.outbox.add("p", label("1"));
    expect(bench.outbox.isDurable.value).toBe(false);
    expect(openBench(null).outbox.isDurable.value).toBe(false);
    await settle();
    expect(bench.sent).toEqual([["1"]]);
  });

  test("broken entries of the storage are passed over", () => {
    const storage = new MemoryStorage();
    storage.setItem("spar.label.waiting/tab-1/p/Ada/1/x", "{torn");
    storage.setItem("spar.label.refused/x", "null");
    const { outbox } = openBench(storage);
    expect(outbox.waiting.value.size).toBe(0);
    expect(outbox.refused.value).toEqual([]);
  });
});
