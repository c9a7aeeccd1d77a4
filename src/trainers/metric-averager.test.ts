import { expect, test } from "vitest";
import { MetricAverager } from "./metric-averager.ts";

test("a mean is over the steps that have the value, and the state is JSON", () => {
  const averager = new MetricAverager();
  averager.add({ loss: 2, entropy: NaN });
  averager.add({ loss: 4, entropy: 3, score: NaN });
  const restored = new MetricAverager();
  restored.restore(JSON.parse(JSON.stringify(averager.state)) as typeof averager.state);
  for (const each of [averager, restored]) {
    expect(each.take()).toEqual({ loss: 3, entropy: 3 });
    expect(each.take()).toEqual({});
  }
});
