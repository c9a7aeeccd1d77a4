/** The sentences that people labelled, and the comparisons made of them. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

export interface Sentence {
  readonly text: string;
  readonly positive: boolean;
}

export interface Pair {
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * Kotzias et al. 2015, "From group to individual labels using deep features": 1,000 sentences each from reviews of films,
 * restaurants and products, labelled by people as clearly positive or clearly negative. npm's `sentiment` tests with them.
 */
const sources = ["imdb", "yelp", "amazon"];

/** Reads the labelled sentences out of the installed package, in the spelling of the embedded model's texts. */
export async function loadSentences(): Promise<Sentence[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("sentiment/package.json")), "test", "fixtures");
  const parts = await Promise.all(
    sources.map(async (name) => {
      const path = join(folder, `${name}.json`);
      try {
        return parseSentences(JSON.parse(await readFile(path, "utf8")) as unknown, path);
      } catch (cause) {
        if (cause instanceof SparError) throw cause;
        throw new SparError("quickstart/sentences-missing", `Reading the labelled sentences ${path}: ${(cause as Error).message}`, {
          hint: "Install spar's packages again: npm ci",
          cause,
        });
      }
    }),
  );
  return parts.flat();
}

/** Rows `{text, class: 1 | 0}`; each file ends with an empty one, which is left out. */
export function parseSentences(rows: unknown, path: string): Sentence[] {
  if (!Array.isArray(rows))
    throw new SparError(
      "quickstart/sentences-missing",
      `Reading the labelled sentences ${path}: expected a list of {text, class}, got ${typeof rows}`,
    );
  return (rows as { text?: unknown; class?: unknown }[])
    .filter(
      (row): row is { text: string; class: number } =>
        typeof row.text === "string" && row.text.trim() !== "" && (row.class === 0 || row.class === 1),
    )
    .map((row) => ({ text: normaliseText(row.text), positive: row.class === 1 }));
}

/** The spelling of the reviews that the embedded model has read: lower case, punctuation between spaces. */
export function normaliseText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[\u2018\u2019\u0092]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll(/\.{2,}/g, " . . . ")
    .replaceAll(/([,.!?;:()"])/g, " $1 ")
    .replaceAll(/(\d) ([.,]) (\d)/g, "$1$2$3")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** Splits by sentence, so that no text stands on both sides (some are there twice), with the same share of positive ones. */
export function splitSentences(
  sentences: readonly Sentence[],
  heldOutShare: number,
  seed: number,
): { train: Sentence[]; heldOut: Sentence[] } {
  const random = new Random(seed);
  const labels = new Map<string, boolean | "both">();
  // A text that was labelled both ways says nothing.
  for (const { text, positive } of sentences) labels.set(text, (labels.get(text) ?? positive) === positive ? positive : "both");
  const train: Sentence[] = [];
  const heldOut: Sentence[] = [];
  for (const positive of [true, false]) {
    const texts = random.shuffle([...labels].filter(([, label]) => label === positive).map(([text]) => text));
    const border = Math.round(texts.length * heldOutShare);
    for (const [i, text] of texts.entries()) (i < border ? heldOut : train).push({ text, positive });
  }
  return { train, heldOut };
}

/** `rounds` times over, every positive sentence beside some negative one; which, is drawn from `seed`. */
export function pairSentences(sentences: readonly Sentence[], rounds: number, seed: number): Pair[] {
  const random = new Random(seed);
  const textsOf = (positive: boolean): string[] => sentences.filter((sentence) => sentence.positive === positive).map(({ text }) => text);
  const [positive, negative] = [textsOf(true), textsOf(false)];
  const count = Math.min(positive.length, negative.length);
  return Array.from({ length: rounds }, () => {
    random.shuffle(positive);
    random.shuffle(negative);
    return Array.from({ length: count }, (_, i) => ({ chosen: positive[i], rejected: negative[i] }));
  }).flat();
}

/** A row of the reward model's data: the ids are what it learns from, the texts are for people who read the file. */
export interface TokenizedPair extends Pair {
  readonly chosen_ids: readonly number[];
  readonly rejected_ids: readonly number[];
}

type PairTokenizer = Pick<Tokenizer, "encode" | "eosId">;

/** Sentences as they are, each to at most `maxTokens`, closed by the end token where they are whole. */
export function tokenisePairs(pairs: readonly Pair[], tokenizer: PairTokenizer, maxTokens: number): TokenizedPair[] {
  const encode = (text: string): number[] => closeText(tokenizer.encode(text), tokenizer).slice(0, maxTokens);
  return pairs.map((pair) => ({ ...pair, chosen_ids: encode(pair.chosen), rejected_ids: encode(pair.rejected) }));
}

/**
 * As tokenisePairs, with every other sentence in the midst of text that the language model wrote: `surroundings`, of which each side draws
 * its own. The reward model will judge such text. Labelled sentences alone would teach it nothing about which of its features to
 * trust there, and the policy would find the others.
 */
export function surroundPairs(
  pairs: readonly Pair[],
  tokenizer: PairTokenizer,
  { maxTokens, surroundings, seed }: { maxTokens: number; surroundings: readonly (readonly number[])[]; seed: number },
): TokenizedPair[] {
  const random = new Random(seed);
  const encode = (text: string): number[] => {
    const ids = tokenizer.encode(text);
    const room = maxTokens - ids.length;
    if (room < 2 || random.uniform() < 0.5) return closeText(ids, tokenizer).slice(0, maxTokens);
    const around = surroundings[random.integer(surroundings.length)]
      .slice(0, 1 + random.integer(room))
      .filter((id) => id !== tokenizer.eosId);
    const before = random.integer(around.length + 1);
    return [...around.slice(0, before), ...ids, ...around.slice(before)];
  };
  return pairs.map((pair) => ({ ...pair, chosen_ids: encode(pair.chosen), rejected_ids: encode(pair.rejected) }));
}

function closeText(ids: readonly number[], { eosId }: PairTokenizer): number[] {
  return eosId === undefined ? [...ids] : [...ids, eosId];
}
