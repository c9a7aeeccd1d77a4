/** New prompts after the pattern of given ones (self-instruct, Wang et al. 2022; as used by Yuan et al. 2024). */
import type { Content } from "../data/index.ts";
import { Random } from "../internal/rng.ts";
import { splitWords } from "../rewards/index.ts";
import { sampleAnswers, type Policy } from "./policy.ts";
import { createDuplicateFilter } from "./rouge.ts";

export interface MakePromptsOptions {
  readonly count: number;
  /** Prompts that are not shown, and that new ones must be as far from as from those given: earlier iterations', and those watched on. */
  readonly known: readonly string[];
  readonly temperature: number;
  readonly topP: number;
  readonly maxNewTokens: number;
  readonly rougeLimit: number;
  readonly minWords: number;
  readonly maxWords: number;
  readonly bannedWords: readonly string[];
  readonly batchSize: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (made: number) => void;
}

/** Part of the stage's inputs: a change of the words below is another version. */
export const promptPatternVersion = "new-prompts-v1";

const shownGiven = 6;
const shownMade = 2;
/** Attempts for each prompt that is wanted, before giving up. */
const mostAttempts = 8;

export type PromptFilter = "kept" | "empty" | "short" | "long" | "banned" | "duplicate";

export interface MadePrompts {
  readonly prompts: readonly string[];
  /** How many attempts ended how. */
  readonly counts: { readonly [F in PromptFilter]: number };
}

/**
 * Shows eight prompts (six given, two made; all given as long as there are none made) and lets the model write a ninth. Throws nothing when it runs out of
 * attempts: fewer prompts come back then. Each attempt shows what earlier ones made, so that a run that was killed begins anew; the same seed
 * makes the same prompts.
 */
export async function makePrompts(policy: Policy, given: readonly string[], options: MakePromptsOptions): Promise<MadePrompts> {
  const { count, batchSize, seed, signal } = options;
  const judge = createPromptFilter([...given, ...options.known], options);
  const random = new Random(seed);
  const made: string[] = [];
  const counts = { kept: 0, empty: 0, short: 0, long: 0, banned: 0, duplicate: 0 };
  const asked = (shown: readonly string[]): Content => {
    const text = renderPattern(shown);
    return policy.tokenizer.hasChatTemplate ? [{ role: "user", content: text }] : text;
  };
  for (let attempt = 0; made.length < count && attempt < count * mostAttempts; attempt += batchSize) {
    const requests = Array.from({ length: batchSize }, () => {
      const old = pick(random, made, Math.min(shownMade, made.length));
      return asked(random.shuffle([...pick(random, given, shownGiven + shownMade - old.length), ...old]));
    });
    const answers = await sampleAnswers(
      policy,
      requests,
      { ...options, topK: 0, count: 1 },
      { first: attempt, signal, stopTexts: ["\n"].concat(policy.tokenizer.hasChatTemplate ? ["\n\n"] : []) },
    );
    for (const [answer] of answers) {
      if (made.length >= count) break;
      const prompt = readMade(answer.text);
      const verdict = judge(prompt);
      counts[verdict]++;
      if (verdict === "kept") made.push(prompt);
    }
    options.onProgress(made.length);
  }
  return { prompts: made, counts };
}

/** Length, words that ask for what a language model cannot do, and nearness to what is there already. */
export function createPromptFilter(
  given: readonly string[],
  { rougeLimit, minWords, maxWords, bannedWords }: Pick<MakePromptsOptions, "rougeLimit" | "minWords" | "maxWords" | "bannedWords">,
): (prompt: string) => PromptFilter {
  const isDuplicate = createDuplicateFilter(rougeLimit, given);
  const banned = bannedWords.map((word) => ` ${splitWords(word).join(" ")} `);
  return (prompt) => {
    const words = splitWords(prompt);
    if (words.length === 0) return "empty";
    if (words.length < minWords) return "short";
    if (words.length > maxWords) return "long";
    const line = ` ${words.join(" ")} `;
    if (banned.some((word) => line.includes(word))) return "banned";
    return isDuplicate(prompt) ? "duplicate" : "kept";
  };
}

export function renderPattern(shown: readonly string[]): string {
  const list = shown.map((prompt, i) => `${i + 1}. ${prompt.replaceAll(/\s+/g, " ").trim()}`).join("\n");
  return `Below is a list of different requests, one a line. Go on with one more of the same kind, on another subject; write the request and nothing else.\n\n${list}\n${shown.length + 1}.`;
}

/** What the model wrote, without the number that it may have repeated. */
function readMade(text: string): string {
  return text
    .trim()
    .replace(/^\d+[.)]\s*/, "")
    .replace(/^["“](.*)["”]$/s, "$1")
    .trim();
}

function pick<T>(random: Random, items: readonly T[], count: number): T[] {
  return random.shuffle([...items]).slice(0, count);
}
