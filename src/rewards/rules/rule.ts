/** Rules: rewards that need nothing but the text. Written `rule:NAME?option=value&…`. */
import { SparError } from "../../internal/errors.ts";
import type { RewardRow, Score } from "../reward.ts";

export type RuleValue = string | number;

export interface RuleOption {
  readonly name: string;
  readonly description: string;
  /** `count`: a whole number from 1; a list: one of these words. */
  readonly kind: "number" | "count" | "text" | readonly string[];
  /** Absent: the option must be given, unless it is `optional`. */
  readonly default?: RuleValue;
  readonly optional?: boolean;
}

export interface Rule {
  readonly name: string;
  readonly description: string;
  readonly options: readonly RuleOption[];
  /** Gets every option that has a value, of its kind. */
  create(options: { readonly [name: string]: RuleValue }): Promise<RuleScorer> | RuleScorer;
}

export type RuleScorer = (row: RewardRow) => Score;

/**
 * Reads the part after the question mark: `name=value` pairs between `&`, with %26 for & and %25 for % in values;
 * a plus is a plus. All problems come in one `rewards/invalid-rule`.
 */
export function parseRuleOptions(rule: Rule, query: string): { [name: string]: RuleValue } {
  const problems: string[] = [];
  const values: { [name: string]: RuleValue } = {};
  for (const pair of query === "" ? [] : query.split("&")) {
    const at = pair.indexOf("=");
    const name = at === -1 ? pair : pair.slice(0, at);
    const text = at === -1 ? "" : decode(pair.slice(at + 1));
    const option = rule.options.find((candidate) => candidate.name === name);
    if (option === undefined) {
      problems.push(`there is no option "${name}" (known: ${rule.options.map((o) => o.name).join(", ") || "none"})`);
    } else if (option.kind === "number") {
      if (text.trim() === "" || !Number.isFinite(Number(text))) problems.push(`${name}: expected a number, got "${text}"`);
      else values[name] = Number(text);
    } else if (option.kind === "count") {
      if (!/^[1-9]\d*$/.test(text)) problems.push(`${name}: expected a whole number from 1, got "${text}"`);
      else values[name] = Number(text);
    } else if (option.kind !== "text" && !option.kind.includes(text)) {
      problems.push(`${name}: expected ${option.kind.join(" or ")}, got "${text}"`);
    } else {
      values[name] = text;
    }
  }
  for (const { name, default: value, optional } of rule.options) {
    if (values[name] !== undefined) continue;
    if (value !== undefined) values[name] = value;
    else if (optional !== true && !problems.some((problem) => problem.startsWith(`${name}:`))) problems.push(`${name} is missing`);
  }
  if (problems.length > 0)
    throw new SparError("rewards/invalid-rule", `rule:${rule.name}: ${problems.join("; ")}`, {
      hint: "spar doctor --rules lists rules and their options.",
    });
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
