import { expect, test } from "vitest";
import { createDPOSigns } from "./dpo-signs.ts";

/** Steps of one log, ten at a time. */
function watchAll(logs: readonly { chosen: number; rejected: number; accuracy: number }[], signs = createDPOSigns(0.1), from = 0) {
  return logs.flatMap(({ chosen, rejected, accuracy }, i) =>
    Array.from({ length: 10 }, (_, k) =>
      signs.watch(from + 10 * i + k + 1, {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margins": chosen - rejected,
        "rewards/accuracies": accuracy,
      }),
    ).flat(),
  );
}

test("says once that both log-probs fall, with how far", () => {
  const events = watchAll([
    { chosen: 0.1, rejected: -0.2, accuracy: 0.6 },
    { chosen: -0.1, rejected: -0.5, accuracy: 0.7 },
    { chosen: -0.2, rejected: -0.9, accuracy: 0.8 },
  ]);
  expect(events).toMatchObject([{ code: "dpo/both-fall", step: 20 }]);
  expect(events[0].message).toContain("chosen completions stand at -1.0 and rejected ones at -5.0 nats");
});

test("says once that margins grow while accuracy stands", () => {
  const grow = [0.2, 0.3, 0.4, 0.5].map((chosen) => ({ chosen, rejected: -chosen, accuracy: 0.7 }));
  expect(watchAll(grow)).toMatchObject([{ code: "dpo/margins-grow", step: 30 }]);
  expect(watchAll(grow.map((one, i) => ({ ...one, accuracy: 0.5 + 0.05 * i })))).toEqual([]);
  expect(watchAll(grow.map((one) => ({ ...one, chosen: 0.2, rejected: -0.2 })))).toEqual([]);
});

test("says nothing of a single batch, and nothing where pairs are the wrong way round", () => {
  expect(
    createDPOSigns(0.1).watch(1, { "rewards/chosen": -9, "rewards/rejected": -10, "rewards/margins": 1, "rewards/accuracies": 1 }),
  ).toEqual([]);
  expect(watchAll([{ chosen: -0.5, rejected: -0.1, accuracy: 0.1 }])).toEqual([]);
});

test("its state goes on where it was", () => {
  const logs = [0.2, 0.3, 0.4].map((chosen) => ({ chosen: -chosen, rejected: -3 * chosen, accuracy: 0.7 }));
  const whole = createDPOSigns(0.1);
  const expected = watchAll(logs, whole);
  const first = createDPOSigns(0.1);
  const before = watchAll(logs.slice(0, 2), first);
  const second = createDPOSigns(0.1);
  second.state = JSON.parse(JSON.stringify(first.state));
  expect([...before, ...watchAll(logs.slice(2), second, 20)]).toEqual(expected);
  expect(second.state).toEqual(whole.state);
  expect(expected.map(({ code }) => code)).toEqual(["dpo/both-fall", "dpo/margins-grow"]);
});
