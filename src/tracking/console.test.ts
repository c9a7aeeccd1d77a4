import { expect, test } from "vitest";
import { createConsoleTracker, formatDuration, formatNumber } from "./console.ts";

function makeConsole(isTerminal: boolean, color = false) {
  let text = "";
  let time = 0;
  const tracker = createConsoleTracker({ write: (part) => void (text += part), isTerminal, width: () => 80, color, now: () => time });
  return {
    tracker,
    advance: (milliseconds: number) => void (time += milliseconds),
    take: (): string => {
      const taken = text;
      text = "";
      return taken;
    },
  };
}

test("numbers and durations", () => {
  expect([0, 12, 1234567, 0.5, 2.34567, 0.00002, 123456.7, Number.NaN, 1e-8].map(formatNumber)).toEqual([
    "0",
    "12",
    "1.23e+6",
    "0.5",
    "2.346",
    "2.00e-5",
    "1.23e+5",
    "NaN",
    "1.00e-8",
  ]);
  expect([5, 65, 3700, Number.POSITIVE_INFINITY, -1].map(formatDuration)).toEqual(["5s", "1m05s", "1h01m", "?", "?"]);
});

test("a row of self-play says how good the model is, and what it took", () => {
  const { tracker, take } = makeConsole(false);
  tracker.metrics({
    step: 2,
    prompts: 64,
    pairs: 50,
    ties: 0.1,
    "answers/mean_length": 12.25,
    "outside/mean_score": 0.512,
    "outside/win_rate": 0.6,
    "seconds/generation": 3,
    "seconds/total": 41.5,
    memory_mb: 900,
  });
  expect(take()).toBe("step 2  outside_score 0.512  win_rate 0.6  length 12.25  pairs 50  seconds 41.5\n");
  const spin = makeConsole(false);
  spin.tracker.metrics({ step: 1, iteration: 0, "gain/loss": 0.51, "gain/gain": 0.18, "gain/accuracy": 0.9, "seconds/total": 8 });
  expect(spin.take()).toBe("step 1  gain 0.18  accuracy 0.9  seconds 8\n");
});

test("without a terminal: plain lines, few of them, none lost at the end", async () => {
  const { tracker, advance, take } = makeConsole(false);
  tracker.progress({ stage: "train", done: 0, total: 100, unit: "steps" });
  for (let step = 1; step <= 100; step++) {
    advance(100);
    tracker.metrics({ step, loss: 1 / step, odd: 3 });
    tracker.progress({ stage: "train", done: step, total: 100 });
  }
  tracker.metrics({ step: 100, eval_loss: 0.25, eval_task_loss: 0.5 });
  tracker.event({ code: "a", message: "saved" });
  tracker.event({ code: "b", level: "warning", message: "careful" });
  await tracker.close("finished");
  expect(take()).toBe(
    [
      "train (100 steps)",
      "step 1  loss 1",
      "step 51  loss 0.01961",
      "step 100  eval_loss 0.25  eval_task_loss 0.5",
      "saved",
      "warning careful",
      "",
    ].join("\n"),
  );
  const other = makeConsole(false);
  other.tracker.metrics({ step: 1, loss: 1 });
  other.advance(10);
  other.tracker.metrics({ step: 2, loss: 2 });
  other.tracker.event({ code: "run/stopped", message: "stopped after step 2" });
  other.tracker.metrics({ step: 3, loss: 3 });
  await other.tracker.close("stopped");
  expect(other.take()).toBe("step 1  loss 1\nstep 2  loss 2\nstopped after step 2\nstep 3  loss 3\n");
});

test("on a terminal: one moving line within the width, with loss, rate and ETA; events above it", async () => {
  const { tracker, advance, take } = makeConsole(true);
  tracker.metrics({ step: 1, loss: 0.5 });
  tracker.progress({ stage: "train", done: 10, total: 100, details: { tokens_per_second: 1234 } });
  expect(take()).toContain("train 10/100  tok/s 1234  loss 0.5");
  advance(50);
  tracker.progress({ stage: "train", done: 11, total: 100 });
  expect(take()).toBe(""); // Not redrawn so soon.
  advance(9950);
  tracker.progress({ stage: "train", done: 20, total: 100 });
  // Ten units in ten seconds since the stage was first seen, eighty to go.
  expect(take().replace("\r\x1b[K", "")).toMatch(/^█+░+ train 20\/100 {2}loss 0\.5 {2}ETA 1m20s$/);
  tracker.event({ code: "x", message: "saved" });
  expect(take()).toBe("\r\x1b[Ksaved\n");
  advance(200);
  tracker.progress({ stage: "evaluating with a very long name of a stage that takes all the room of the line there is", done: 1 });
  expect(take().replace("\r\x1b[K", "").length).toBeLessThan(80);
  await tracker.close("finished");
  expect(take().endsWith("\n")).toBe(true);
});

test("colours only when asked for", () => {
  const plain = makeConsole(false);
  plain.tracker.event({ code: "x", level: "error", message: "bad" });
  expect(plain.take()).toBe("error bad\n");
  const colored = makeConsole(false, true);
  colored.tracker.event({ code: "x", level: "error", message: "bad" });
  expect(colored.take()).toBe("\x1b[31merror\x1b[0m bad\n");
});
