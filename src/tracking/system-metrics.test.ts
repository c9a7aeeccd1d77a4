import { expect, test } from "vitest";
import { startSystemSampler, type SystemRow } from "./system-metrics.ts";

function createClock(): { now: () => number; pass: (milliseconds: number) => void } {
  let time = Date.UTC(2026, 0, 1);
  return { now: () => time, pass: (milliseconds) => void (time += milliseconds) };
}

test("rows say when a step was done, and what it cost", () => {
  const rows: SystemRow[] = [];
  const clock = createClock();
  const sampler = startSystemSampler({ append: (row) => rows.push(row), now: clock.now });
  sampler.progress({ stage: "training", done: 1, details: { "tokens/s": 50 } });
  expect(rows).toEqual([]);
  clock.pass(1000);
  sampler.progress({ stage: "training", done: 2, details: { "tokens/s": 60 } });
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ time: "2026-01-01T00:00:01.000Z", step: 2, tokens_per_second: 60 });
  expect(rows[0]!.memory_mb).toBeGreaterThan(20);
  expect(rows[0]!.cpu_percent).toBeGreaterThanOrEqual(0);

  // Counted tokens are worth more than an average since the start.
  sampler.metrics({ step: 3, num_tokens: 1000 });
  clock.pass(2000);
  sampler.metrics({ step: 4, num_tokens: 1500 });
  expect(rows.at(-1)).toMatchObject({ step: 4, num_tokens: 1500, tokens_per_second: 250 });
  sampler.metrics({ step: 4, eval_loss: 1 });
  clock.pass(400);
  sampler.stop();
  expect(rows).toHaveLength(3);
  clock.pass(10_000);
  sampler.stop();
  sampler.progress({ stage: "training", done: 5 });
  expect(rows).toHaveLength(3);
});

test("after the first minute rows come every five seconds", () => {
  const rows: SystemRow[] = [];
  const clock = createClock();
  const sampler = startSystemSampler({ append: (row) => rows.push(row), now: clock.now });
  for (let second = 0; second < 120; second++) {
    clock.pass(1000);
    sampler.progress({ stage: "sampling", done: second });
  }
  sampler.stop();
  expect(rows).toHaveLength(59 + 13);
  // Not a step of the training.
  expect(rows.at(-1)!.step).toBeUndefined();
});

test("a file that takes no rows ends the sampling, not the run", () => {
  let calls = 0;
  const clock = createClock();
  const sampler = startSystemSampler({
    append() {
      calls++;
      throw new Error("no space left on device");
    },
    now: clock.now,
  });
  for (let i = 0; i < 3; i++) {
    clock.pass(1000);
    sampler.metrics({ step: i });
  }
  sampler.stop();
  expect(calls).toBe(1);
});
