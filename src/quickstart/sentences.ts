/** The sentences that people labelled, and the comparisons made of them. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";

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
        throw new SparError("quickstart/sentences-missing", `Reading the labelled sentences ${path}: ${(cause as Error).message}`, { hint: "Install spar's packages again: npm ci", cause });
      }
    }),
  );
  return parts.flat();
}

/** Rows `{text, class: 1 | 0}`; each file ends with an empty one, which is left out. */
export function parseSentences(rows: unknown, path: string): Sentence[] {
  if (!Array.isArray(rows)) throw new SparError("quickstart/sentences-missing", `Reading the labelled sentences ${path}: expected a list of {text, class}, got ${typeof rows}`);
  return (rows as { text?: unknown; class?: unknown }[])
    .filter((row): row is { text: string; class: number } => typeof row.text === "string" && row.text.trim() !== "" && (row.class === 0 || row.class === 1))
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
export function splitSentences(sentences: readonly Sentence[], heldOutShare: number, seed: number): { train: Sentence[]; heldOut: Sentence[] } {
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
