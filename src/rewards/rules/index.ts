/** The rules that are shipped. */
import { SparError } from "../../internal/errors.ts";
import { checkScores, type RewardFunction } from "../reward.ts";
import { distinctRule, repetitionRule } from "./distinct.ts";
import { formatRule } from "./format.ts";
import { lengthRule } from "./length.ts";
import { matchRule } from "./match.ts";
import { regexRule } from "./regex.ts";
import { parseRuleOptions, type Rule } from "./rule.ts";
import { sentimentRule } from "./sentiment.ts";

const rules: readonly Rule[] = [distinctRule, formatRule, lengthRule, matchRule, regexRule, repetitionRule, sentimentRule];

/** All rules by name, with what they do and which options they take. */
export function listRules(): readonly Rule[] {
  return rules;
}

/** `spec` is what follows `rule:`, e.g. `length?unit=words&target=50`. Throws `rewards/unknown-rule`, `rewards/invalid-rule`. */
export async function createRuleReward(spec: string): Promise<RewardFunction> {
  const at = spec.indexOf("?");
  const name = at === -1 ? spec : spec.slice(0, at);
  const rule = rules.find((candidate) => candidate.name === name);
  if (rule === undefined) {
    throw new SparError(
      "rewards/unknown-rule",
      `rule:${name}: there is no such rule; expected one of ${rules.map((known) => known.name).join(", ")}`,
      { hint: "spar doctor --rules describes them." },
    );
  }
  const score = await rule.create(parseRuleOptions(rule, at === -1 ? "" : spec.slice(at + 1)));
  return { name, score: async (rows) => checkScores(rows.map(score), rows.length, `rule:${name}`) };
}
