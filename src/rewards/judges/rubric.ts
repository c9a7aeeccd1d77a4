/** What a judge that reads and writes text is asked, and how its judgement is read. */
import { SparError } from "../../internal/errors.ts";
import type { ChatMessage } from "../../tokenizer/index.ts";
import { defuseSpecialTokens } from "./defuse.ts";

export interface Rubric {
  /** Name and version (`additive-v1`): part of what identifies a cached judgement. */
  readonly name: string;
  readonly kind: "grade" | "compare";
  /** Holds `{prompt}` and `{answer}`, or `{prompt}`, `{first}` and `{second}`. A grade may do without its prompt. */
  readonly template: string;
  /** Opens the line with the judgement: `Score: `. Empty where the judgement follows on the template at once. */
  readonly lead: string;
  /**
   * What may follow the lead, and its value: the grade, or for comparisons 1 the first is better, 0 the second, .5 a tie. In
   * expected-score mode each must be one token there.
   */
  readonly answers: readonly { readonly text: string; readonly value: number }[];
  /** Bounds of the scores; for comparisons 0 and 1. */
  readonly range: readonly [low: number, high: number];
  /** Whether the text is sent as a user's message where the tokenizer has a chat template; default true. */
  readonly chat?: boolean;
}

/**
 * The text that the judge is shown. Values are put in as they are (what looks like a placeholder in them stays), but for special
 * tokens: those in `specialTokens`, and what looks like one, are broken. The template's own stay.
 */
export function renderRubric(
  rubric: Rubric,
  values: { readonly prompt: string | readonly ChatMessage[]; readonly answer?: string; readonly first?: string; readonly second?: string },
  specialTokens: readonly string[] = [],
): string {
  return rubric.template.replaceAll(/\{(prompt|answer|first|second)\}/g, (whole, name: "prompt" | "answer" | "first" | "second") => {
    const value = values[name];
    if (value === undefined) return whole;
    return defuseSpecialTokens(typeof value === "string" ? value : renderMessages(value), specialTokens);
  });
}

/** A conversation as text: a single question by itself, else each turn under its role. */
function renderMessages(messages: readonly ChatMessage[]): string {
  const [only] = messages;
  if (messages.length === 1 && only.role === "user") return renderContent(only.content);
  return messages.map(({ role, content }) => `${role.charAt(0).toUpperCase()}${role.slice(1)}: ${renderContent(content)}`).join("\n\n");
}

/** Text, or the text parts of a list of parts. */
function renderContent(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as { text?: unknown }[]).map(({ text }) => (typeof text === "string" ? text : "")).join("");
}

/**
 * The judgement in a text: what follows the last lead (`Score: 3.5`, `**Score:** 4/5`, `Score: \boxed{4}`), or the text itself where the
 * lead is empty. Without a colon a sentence that ends with it counts (`The score is 4.`).
 * Null: none, out of range, a range instead of a number, or points out of another total.
 */
export function parseJudgement(text: string, rubric: Rubric): number | null {
  const word = leadWord(rubric);
  let rest = text;
  if (word !== "") {
    const begin = `(?<![\\p{L}\\p{N}])${escapePattern(word)}["' \\t*_]*`;
    const lastOf = (pattern: string) => [...text.matchAll(new RegExp(begin + pattern, "giu"))].at(-1);
    const last =
      lastOf("[:=：]") ??
      lastOf(String.raw`is[ \t]+(?=[^\s\p{L}]{0,12}(?:boxed\{)?[\p{L}\p{N}.,]+(?:\s*(?:\/|out of|of)\s*\d+)?[\s*_)\]}$"'.!]*$)`);
    if (last === undefined) return null;
    rest = text.slice(last.index + last[0].length);
  }
  // The value may stand on the next line, and in brackets, quotes, bold type or TeX's box.
  const said = /^(?:[\s*_<[("'`$]|\\boxed\{|\\[([])*([^\n]*)/.exec(rest)?.[1] ?? "";
  return readValue(said, rubric);
}

/** `score` for the lead `Score: `: also the judgement's key where judges answer with JSON. */
export function leadWord({ lead }: Rubric): string {
  return lead
    .trim()
    .replace(/\s*[:=：]$/, "")
    .toLowerCase();
}

function readValue(said: string, rubric: Rubric): number | null {
  return rubric.kind === "grade" && /^[-−+]?\d/.test(said) ? parseScore(said, rubric.range) : matchAnswer(said, rubric);
}

function parseScore(said: string, [low, high]: Rubric["range"]): number | null {
  const match = /^([-−+]?\d+(?:[.,]\d+)?)(.*)$/.exec(said);
  if (match === null) return null;
  const value = Number(match[1].replace(",", ".").replace("−", "-"));
  const tail = match[2];
  const total = /^[\s*_)\]}]*(?:\/|out of|of)\s*(\d+(?:\.\d+)?)/i.exec(tail);
  if (total !== null && Number(total[1]) !== high) return null;
  if (/^\s*(?:[-–—]|to\b|or\b)\s*\d/i.test(tail) || /^[\p{L}%]/u.test(tail)) return null;
  return value >= low && value <= high ? value : null;
}

function matchAnswer(said: string, { answers }: Rubric): number | null {
  // The longest first: "good" must not be found in "good enough" where both may be said.
  const known = [...answers].sort((a, b) => b.text.length - a.text.length);
  const found = known.find(({ text }) => {
    const wanted = text.trim().toLowerCase();
    return said.toLowerCase().startsWith(wanted) && !/^[\p{L}\p{N}]/u.test(said.slice(wanted.length));
  });
  return found?.value ?? null;
}

/** The judgement in the JSON object that a judge was asked for; null: not that. */
export function parseJsonJudgement(text: string, rubric: Rubric): number | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const said = (value as { [key: string]: unknown })[leadWord(rubric) || "judgement"];
  if (typeof said === "number") return rubric.kind === "grade" && said >= rubric.range[0] && said <= rubric.range[1] ? said : null;
  if (typeof said !== "string") return null;
  return readValue(said.trim(), rubric);
}

/** A comparison's value (1 first, 0 second) in words. */
export function nameWinner(value: number | null): "first" | "second" | "tie" | null {
  if (value === null) return null;
  if (value === 0.5) return "tie";
  return value > 0.5 ? "first" : "second";
}

/** Throws `judge/invalid-rubric` with all that is wrong. `who` names the rubric's file. */
export function checkRubric(rubric: Rubric, who: string = rubric.name): Rubric {
  const { kind, template, answers, range, lead } = rubric;
  const needed = kind === "grade" ? ["answer"] : ["prompt", "first", "second"];
  const problems = [
    ...needed.filter((name) => !template.includes(`{${name}}`)).map((name) => `the text lacks {${name}}`),
    ...(range[0] < range[1] ? [] : [`range: expected two numbers, the lower first, got [${range.join(", ")}]`]),
    ...(answers.length < 2 ? [`answers: expected at least two, got ${answers.length}`] : []),
    ...answers
      .filter(({ value }) => !(value >= range[0] && value <= range[1]))
      .map(({ text, value }) => `answers: "${text}" is worth ${value}, which is outside [${range.join(", ")}]`),
    ...(new Set(answers.map(({ text }) => text)).size < answers.length ? ["answers: a text is there twice"] : []),
    ...(answers.some(({ text }) => text.trim() === "") ? ["answers: a text is empty"] : []),
    ...(lead !== "" && leadWord(rubric) === "" ? [`lead: expected a word such as "Score: ", got ${JSON.stringify(lead)}`] : []),
  ];
  if (problems.length > 0) {
    throw new SparError("judge/invalid-rubric", `Rubric ${who}: ${problems.join("; ")}`, {
      hint: "recipes/rubrics holds rubrics to start from.",
    });
  }
  return rubric;
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
