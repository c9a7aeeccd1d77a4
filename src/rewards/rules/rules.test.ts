import { describe, expect, it } from "vitest";
import type { RewardRow, Score } from "../reward.ts";
import { createRuleReward, listRules } from "./index.ts";

const rowOf = (completion: string, more: Partial<RewardRow> = {}): RewardRow => ({
  prompt: "",
  completion,
  prompt_ids: [],
  completion_ids: [],
  ...more,
});

async function rate(spec: string, ...rows: (string | RewardRow)[]): Promise<Score[]> {
  const reward = await createRuleReward(spec);
  return reward.score(rows.map((row) => (typeof row === "string" ? rowOf(row) : row)));
}

describe("rules", () => {
  it("length: characters by default, longer is better", async () => {
    expect(await rate("length", "abc", "", "a 👍🏽")).toEqual([3, 0, 4]);
    expect(await rate("length?unit=words", "It's a fine day.", "…")).toEqual([4, 0]);
    expect(await rate("length?unit=tokens", rowOf("x", { completion_ids: [1, 2, 3] }))).toEqual([3]);
    expect(await rate("length?unit=words&target=4", "a b c d", "a b", "a b c d e f", "a b c d e f g h i j k l")).toEqual([1, 0.5, 0.5, -1]);
  });

  it("format", async () => {
    expect(await rate("format", "<think>hm\nso</think>\n4", "4", "<think>a<think>b</think>", "<think>open")).toEqual([1, 0, 0, 0]);
    expect(await rate("format?kind=json", '{"a": [1]}', "{a: 1}", "")).toEqual([1, 0, 0]);
    expect(await rate("format?kind=sentence", "It works.", ' "Does it?"', "it works.", "It works", "")).toEqual([1, 1, 0, 0, 0]);
  });

  it("regex: taken literally, plus signs and all", async () => {
    expect(await rate("regex?pattern=^\\d+$", "42", "4 2")).toEqual([1, 0]);
    expect(await rate("regex?pattern=a%26b&flags=gi&match=2&miss=-1", "A&B", "a&b", "ab")).toEqual([2, 2, -1]);
    expect(await rate("regex?pattern=100%", "100% sure")).toEqual([1]);
    await expect(createRuleReward("regex?pattern=(")).rejects.toThrow(/Invalid regular expression/);
    await expect(createRuleReward("regex")).rejects.toThrow(/pattern is missing/);
  });

  it("sentiment", async () => {
    const [good, bad, none] = (await rate("sentiment", "A wonderful film, I loved it.", "A terrible, boring mess.", "A film.")) as number[];
    expect(good).toBeGreaterThan(0.5);
    expect(bad).toBeLessThan(-0.5);
    expect(none).toBe(0);
    expect(await rate("sentiment?of=text", rowOf(" it.", { prompt: "I loved" }))).not.toEqual([0]);
  });

  it("distinct and repetition", async () => {
    expect(await rate("distinct?n=1", "the cat the dog", "a")).toEqual([0.75, 1]);
    expect(await rate("distinct", "one", "a b a b")).toEqual([null, 2 / 3]);
    expect(await rate("repetition?n=1&scale=2", "great great great great", "all is new", "")).toEqual([-1.5, 0, 0]);
    await expect(createRuleReward("distinct?n=0")).rejects.toThrow(/n: expected a whole number from 1, got "0"/);
  });

  it("match", async () => {
    const answer = { answer: "42" };
    expect(await rate("match", rowOf(" 42\n", answer), rowOf("it is 42", answer), rowOf("42"))).toEqual([1, 0, null]);
    expect(await rate("match?where=end", rowOf("it is 42", { answer: 42 }))).toEqual([1]);
    expect(await rate("match?where=anywhere&case=ignore&column=city", rowOf("In paris, I think", { city: "Paris" }))).toEqual([1]);
  });

  it("names all that is wrong at once", async () => {
    await expect(createRuleReward("lenght")).rejects.toThrow(/no such rule; expected one of distinct, format, length/);
    await expect(createRuleReward("length?unit=feet&target=far&aim=3")).rejects.toThrow(
      /unit: expected characters or words or tokens, got "feet"; target: expected a number, got "far"; there is no option "aim" \(known: unit, target\)/,
    );
  });

  it("every rule is described, and works with its defaults where it has them", async () => {
    for (const rule of listRules()) {
      expect(rule.description.length).toBeGreaterThan(20);
      const needed = rule.options.filter((option) => option.default === undefined && option.optional !== true);
      const query = needed.map((option) => `${option.name}=x`).join("&");
      expect(await rate(query === "" ? rule.name : `${rule.name}?${query}`, "Some words here.")).toHaveLength(1);
    }
  });
});
