import { describe, expect, it } from "vitest";
import { buildGraph, evaluateGraph, grad, input } from "../tensor/index.ts";
import { dpoLoss, dpoLossTypes, type DPOLossType, type DPOOptions } from "./dpo.ts";

interface Pairs {
  chosen: number[];
  rejected: number[];
  referenceChosen: number[];
  referenceRejected: number[];
  chosenLengths?: number[];
  rejectedLengths?: number[];
  weights?: number[];
  nll?: number;
}

const plain: DPOOptions = { losses: [], beta: 0.5, labelSmoothing: 0.1, discopopTau: 0.05, divergence: "reverse_kl", alpha: 0.5 };

function run(pairs: Pairs, losses: DPOLossType | DPOOptions["losses"], options: Partial<DPOOptions> = {}) {
  const P = pairs.chosen.length;
  const names = ["chosen", "rejected", "referenceChosen", "referenceRejected", "chosenLengths", "rejectedLengths", "weights"] as const;
  const tensors = Object.fromEntries(names.map((name) => [name, input(name, "float32", [P])]));
  const nll = input("nll", "float32", []);
  const loss = dpoLoss(
    { ...(tensors as { [N in (typeof names)[number]]: typeof nll }), chosenNLL: nll },
    { ...plain, ...options, losses: typeof losses === "string" ? [{ type: losses, weight: 1 }] : losses },
  );
  const [dc, dr] = grad(loss, [tensors["chosen"], tensors["rejected"]]);
  const graph = buildGraph({ loss, dc, dr });
  const ones = new Array<number>(P).fill(1);
  const values: { [name: string]: number[] } = {
    chosenLengths: ones,
    rejectedLengths: ones,
    weights: ones.map(() => 1 / P),
    ...Object.fromEntries(Object.entries(pairs).filter(([name]) => name !== "nll")),
    nll: [pairs.nll ?? 0],
  };
  const results = evaluateGraph(graph, Object.fromEntries([...graph.inputs.keys()].map((name) => [name, values[name]])));
  return { loss: results["loss"][0], dc: [...results["dc"]], dr: [...results["dr"]] };
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const nls = (x: number): number => Math.log1p(Math.exp(-x));
/** One pair: log-ratios 2 and −1, so Δ = 3 and β·Δ = 1.5; 4 and 2 tokens. */
const pair: Pairs = {
  chosen: [-10],
  rejected: [-21],
  referenceChosen: [-12],
  referenceRejected: [-20],
  chosenLengths: [4],
  rejectedLengths: [2],
};

describe("each type, worked by hand for log-ratios 2 and −1 at β = ½, ε = 0.1", () => {
  const e = 0.1;
  const tokens = 2 / 4 - -1 / 2; // means over tokens: ½ + ½
  const share = sigmoid(1.5 / 0.05);
  const expected: { [T in Exclude<DPOLossType, "sft">]: number } = {
    sigmoid: nls(1.5),
    hinge: 0,
    ipo: (tokens - 1) ** 2,
    exo_pair: sigmoid(1.5) * (-nls(1.5) - Math.log(1 - e)) + sigmoid(-1.5) * (-nls(-1.5) - Math.log(e)),
    nca_pair: nls(1) + 0.5 * nls(-1) + 0.5 * nls(0.5),
    robust: ((1 - e) * nls(1.5) - e * nls(-1.5)) / (1 - 2 * e),
    bco_pair: nls(1) + nls(0.5),
    sppo_hard: (2 - 1) ** 2 + (-1 + 1) ** 2,
    aot: (1 - e) * nls(1.5) + e * nls(-1.5),
    aot_unpaired: (1 - e) * nls(1.5) + e * nls(-1.5),
    apo_zero: 1 - sigmoid(1) + sigmoid(-0.5),
    apo_down: sigmoid(1) + 1 - sigmoid(1.5),
    discopop: nls(1.5) * (1 - share) + Math.exp(-1.5) * share,
    sigmoid_norm: nls(0.5 * tokens),
  };
  it.each(Object.entries(expected))("%s", (type, value) => expect(run(pair, type as DPOLossType).loss).toBeCloseTo(value, 6));
  it("sft", () => expect(run({ ...pair, nll: 2.5 }, "sft").loss).toBeCloseTo(2.5, 6));
  it("knows every type", () => expect([...Object.keys(expected), "sft"].sort()).toEqual([...dpoLossTypes].sort()));
});

describe("where policy and reference agree", () => {
  const same: Pairs = { ...pair, referenceChosen: [-10], referenceRejected: [-21] };
  it.each(["sigmoid", "robust", "aot", "aot_unpaired", "sigmoid_norm"] as const)("%s is ln 2", (type) =>
    expect(run(same, type).loss).toBeCloseTo(Math.LN2, 6),
  );
  it.each(["forward_kl", "js_divergence", "alpha_divergence"] as const)("%s too, with the gradient of the reverse KL", (divergence) => {
    const { loss, dc, dr } = run(same, "sigmoid", { divergence });
    expect(loss).toBeCloseTo(Math.LN2, 6);
    const slope = divergence === "js_divergence" ? 0.5 : 1;
    expect([dc[0], dr[0]]).toEqual([expect.closeTo(-0.25 * slope, 6), expect.closeTo(0.25 * slope, 6)]);
  });
});

describe("scores of f-divergences, for log-ratios 2 and −1", () => {
  const cases = {
    forward_kl: 1 - Math.exp(-2) - (1 - Math.exp(1)),
    js_divergence: nls(-1) - nls(2),
    alpha_divergence: (Math.exp(-1) - 1) / -0.5 - (Math.exp(0.5) - 1) / -0.5,
  };
  it.each(Object.entries(cases))("%s", (divergence, difference) =>
    expect(run(pair, "sigmoid", { divergence: divergence as keyof typeof cases }).loss).toBeCloseTo(nls(0.5 * difference), 6),
  );
  it("α → 1 is the reverse KL, and a far ratio stays finite", () => {
    expect(run(pair, "sigmoid", { divergence: "alpha_divergence", alpha: 1 }).loss).toBeCloseTo(nls(1.5), 6);
    const far = run({ ...pair, chosen: [-400], referenceChosen: [0] }, "sigmoid", { divergence: "alpha_divergence" });
    expect([far.loss, ...far.dc, ...far.dr].every(Number.isFinite)).toBe(true);
  });
});

/** Pairs of all sorts, from a fixed sequence. */
function makePairs(count: number): Pairs {
  let state = 7;
  const draw = (): number => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  const list = (low: number, high: number): number[] => Array.from({ length: count }, () => low + (high - low) * draw());
  return {
    chosen: list(-30, -5),
    rejected: list(-30, -5),
    referenceChosen: list(-30, -5),
    referenceRejected: list(-30, -5),
    chosenLengths: list(1, 9).map(Math.round),
    rejectedLengths: list(1, 9).map(Math.round),
  };
}

const pick = (pairs: Pairs, from: number, to: number): Pairs =>
  Object.fromEntries(Object.entries(pairs).map(([name, values]) => [name, (values as number[]).slice(from, to)])) as unknown as Pairs;

describe.each(dpoLossTypes.filter((type) => type !== "sft"))("%s", (type) => {
  const pairs = makePairs(5);

  it("does not change by padding", () => {
    const alone = run(pairs, type);
    const padded = run(
      {
        ...(Object.fromEntries(
          Object.entries(pairs).map(([name, values]) => [name, [...(values as number[]), ...(name.endsWith("Lengths") ? [1, 1] : [0, 0])]]),
        ) as unknown as Pairs),
        weights: [0.2, 0.2, 0.2, 0.2, 0.2, 0, 0],
      },
      type,
    );
    expect(padded.loss).toBeCloseTo(alone.loss, 6);
    expect(padded.dc).toEqual([...alone.dc.map((g) => expect.closeTo(g, 6)), expect.closeTo(0, 6), expect.closeTo(0, 6)]);
    expect(padded.dr).toEqual([...alone.dr.map((g) => expect.closeTo(g, 6)), expect.closeTo(0, 6), expect.closeTo(0, 6)]);
  });

  it("does not depend on the order of the pairs", () => {
    const turned = Object.fromEntries(
      Object.entries(pairs).map(([name, values]) => [name, (values as number[]).toReversed()]),
    ) as unknown as Pairs;
    const [a, b] = [run(pairs, type), run(turned, type)];
    expect(b.loss).toBeCloseTo(a.loss, 6);
    expect(b.dc).toEqual(a.dc.toReversed().map((g) => expect.closeTo(g, 6)));
  });

  it("is the sum of its parts, unless it sorts", () => {
    const whole = run(pairs, type);
    const parts = [run({ ...pick(pairs, 0, 2), weights: [0.2, 0.2] }, type), run({ ...pick(pairs, 2, 5), weights: [0.2, 0.2, 0.2] }, type)];
    const sum = parts[0].loss + parts[1].loss;
    if (type.startsWith("aot")) expect(Math.abs(sum - whole.loss)).toBeGreaterThan(1e-3);
    else {
      expect(sum).toBeCloseTo(whole.loss, 6);
      expect([...parts[0].dc, ...parts[1].dc]).toEqual(whole.dc.map((g) => expect.closeTo(g, 6)));
    }
  });

  it("stays finite for hopeless pairs", () => {
    const hopeless: Pairs = { chosen: [-150], rejected: [-5], referenceChosen: [-5], referenceRejected: [-80] };
    const { loss, dc, dr } = run(hopeless, type, { beta: 0.1 });
    expect([loss, ...dc, ...dr].every(Number.isFinite)).toBe(true);
  });
});

it("several losses are added with their weights", () => {
  const both = run({ ...pair, nll: 2.5 }, [
    { type: "sigmoid", weight: 0.8 },
    { type: "bco_pair", weight: 0.2 },
    { type: "sft", weight: 2 },
  ]);
  expect(both.loss).toBeCloseTo(0.8 * nls(1.5) + 0.2 * (nls(1) + nls(0.5)) + 5, 6);
});

it("sigmoid's gradient is −β·σ(−βΔ) on the chosen side and its opposite on the other", () => {
  const { dc, dr } = run(pair, "sigmoid");
  expect(dc[0]).toBeCloseTo(-0.5 * sigmoid(-1.5), 6);
  expect(dr[0]).toBeCloseTo(0.5 * sigmoid(-1.5), 6);
});
