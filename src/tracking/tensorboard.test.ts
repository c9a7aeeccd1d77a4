import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createHistogram } from "./histogram.ts";
import { createTensorBoardTracker } from "./tensorboard.ts";
import { crc32c, encodeEvent, encodeSessionEnd, encodeSessionStart, frameRecord } from "./tensorboard-events.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("CRC-32C: check values of RFC 3720, B.4", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("the bytes that tensorboard's own record writer and messages make", () => {
  const wallTime = 1_700_000_000.5;
  expect(hex(frameRecord(encodeEvent({ wallTime, fileVersion: "brain.Event:2" })))).toBe(
    "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110",
  );
  expect(
    hex(
      frameRecord(
        encodeEvent({
          wallTime,
          step: 300,
          values: [
            { tag: "train/loss", scalar: 0.125 },
            { tag: "train/objective/kl", scalar: -3 },
          ],
        }),
      ),
    ),
  ).toBe(
    "3c00000000000000c8b7a3520900002040fc54d94110ac022a2e0a110a0a747261696e2f6c6f7373150000003e0a190a12747261696e2f6f626a6563" +
      "746976652f6b6c15000040c02d55e205",
  );
  expect(hex(frameRecord(encodeEvent({ wallTime, step: 2, values: [{ tag: "samples/text_summary", text: "héllo" }] })))).toBe(
    "410000000000000000a9c2ab0900002040fc54d94110022a340a320a1473616d706c65732f746578745f73756d6d6172794210080712041202080142" +
      "0668c3a96c6c6f4a080a060a04746578740c6cae75",
  );
  expect(hex(frameRecord(encodeEvent({ wallTime, step: 7, purge: true })))).toBe(
    "0f000000000000006d532b090900002040fc54d94110073a0208019beb06a7",
  );
  expect(hex(encodeSessionStart({ seed: 42 }, wallTime))).toBe("1a1c0a110a047365656412091100000000000045402900002040fc54d941");
  expect(hex(encodeSessionEnd(true, wallTime))).toBe("220b08011100002040fc54d941");
});

test("histograms: of what is given, and of samples where they are enough for a picture", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-tensorboard-"));
  try {
    const tracker = createTensorBoardTracker({ folder: "/nowhere", logFolder: join(folder, "logs"), config: {} });
    tracker.histograms?.(2, { score: [1, 2, 2], none: [] });
    const samples = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ step: 3, prompt: "p", completion: "c".repeat(i), scores: { rm: i } }));
    tracker.samples(samples(15));
    tracker.samples(samples(16));
    await tracker.close("finished");
    const [name] = readdirSync(join(folder, "logs"));
    const bytes = readFileSync(join(folder, "logs", name!)).toString("latin1");
    const count = (text: string): number => bytes.split(text).length - 1;
    expect([
      count("histograms/score"),
      count("histograms/none"),
      count("histograms/scores/rm"),
      count("histograms/completion_characters"),
    ]).toEqual([2, 0, 1, 1]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("bins of a histogram", () => {
  expect(createHistogram([0, 1, 2, 3, 4, Number.NaN], 2)).toEqual({ edges: [0, 2, 4], counts: [2, 3] });
  expect(createHistogram([5, 5])).toEqual({ edges: [4.5, 5.5], counts: [2] });
  expect(createHistogram([1e300, 1e300 + 1e284], 10)).toMatchObject({ counts: [2] });
  expect(createHistogram([-1e308, 1e308], 2)).toEqual({ edges: [-1e308, 0, 1e308], counts: [1, 1] });
  expect(createHistogram([Number.NaN])).toBeUndefined();
});

test("a whole file: names of tags, steps, purge after a resume, end of the session", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-tensorboard-"));
  try {
    const tracker = createTensorBoardTracker({
      folder,
      config: { learning_rate: 0.5, method: "sft", list: [1] },
      now: () => 1_700_000_000_250,
    });
    tracker.metrics({ step: 3, epoch: 1, loss: 2 });
    tracker.metrics({ step: 3, eval_loss: 1.5 });
    tracker.metrics({ step: 4 });
    tracker.samples([{ step: 3, prompt: "a|b", completion: "c\nd", scores: { rm: 1 } }]);
    tracker.samples([]);
    tracker.event({ code: "run/resumed", message: "", step: 6 });
    tracker.event({ code: "checkpoint/saved", message: "" });
    await tracker.close("failed");
    tracker.metrics({ step: 9, loss: 1 });
    await tracker.close("finished");
    const [name] = readdirSync(join(folder, "runs"));
    expect(name).toMatch(/^events\.out\.tfevents\.1700000000\./);
    const bytes = readFileSync(join(folder, "runs", name!));
    const records: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = Number(bytes.readBigUInt64LE(at));
      const data = bytes.subarray(at + 12, at + 12 + length);
      expect(hex(frameRecord(data))).toBe(bytes.toString("hex", at, at + 16 + length));
      records.push(data);
      at += 16 + length;
    }
    expect(records).toHaveLength(7);
    expect(records[0]!.toString("latin1")).toContain("brain.Event:2");
    expect(records[1]!.toString("latin1")).toContain("learning_rate");
    expect(records[1]!.toString("latin1")).not.toContain("list");
    expect(records[2]!.toString("latin1")).toContain("train/epoch");
    expect(records[3]!.toString("latin1")).toContain("eval/loss");
    expect(records[4]!.toString("utf8")).toContain("| a\\|b | c<br>d | rm 1.000 |");
    expect(hex(records[5]!)).toBe(hex(encodeEvent({ wallTime: 1_700_000_000.25, step: 7, purge: true })));
    expect(records[6]!.toString("latin1")).toContain("_hparams_/session_end_info");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
