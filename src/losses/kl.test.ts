import { describe, expect, it } from "vitest";
import { buildGraph, evaluateGraph, grad, input, sum } from "../tensor/index.ts";
import { estimateTokenKL, type KLEstimator } from "./kl.ts";

function run(estimator: KLEstimator, logprobs: number[], reference: number[], limit?: number) {
  const p = input("p", "float32", [logprobs.length]);
  const q = input("q", "float32", [logprobs.length]);
  const kl = estimateTokenKL(p, q, estimator, limit === undefined ? {} : { limit });
  return evaluateGraph(buildGraph({ kl, gradient: grad(sum(kl), [p])[0] }), { p: logprobs, q: reference });
}

describe("estimateTokenKL", () => {
  it("k1 = δ, k2 = ½δ², k3 = e^(−δ) − 1 + δ", () => {
    const p = [-1, -2];
    const q = [-2, -1.5];
    expect([...run("k1", p, q).kl]).toEqual([1, -0.5]);
    expect([...run("k2", p, q).kl]).toEqual([0.5, 0.125]);
    expect([...run("k3", p, q).kl]).toEqual([Math.exp(-1), Math.exp(0.5) - 1.5].map((x) => expect.closeTo(x, 12)));
  });

  it("all are 0 where the policies agree", () => {
    for (const estimator of ["k1", "k2", "k3"] as const) expect(run(estimator, [-3], [-3]).kl[0]).toBe(0);
  });

  it("k1 and k3 have the true KL as expectation", () => {
    const [p, q] = [
      [0.7, 0.2, 0.1],
      [0.3, 0.3, 0.4],
    ];
    const exact = p.reduce((total, x, i) => total + x * Math.log(x / q[i]), 0);
    for (const estimator of ["k1", "k3"] as const) {
      const { kl } = run(estimator, p.map(Math.log), q.map(Math.log));
      expect(p.reduce((total, x, i) => total + x * kl[i], 0)).toBeCloseTo(exact, 12);
    }
  });

  it("a limit clips, without infinite gradients", () => {
    expect([...run("k1", [0, -30], [-30, 0], 10).kl]).toEqual([10, -10]);
    const { kl, gradient } = run("k3", [-2000], [0], 10);
    expect(kl[0]).toBe(10);
    expect(gradient[0]).toBeCloseTo(0, 12);
  });
});
