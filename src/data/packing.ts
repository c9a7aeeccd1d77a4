import { SparError } from "../internal/errors.ts";
import type { TokenizedText } from "./tokenise-text.ts";

/**
 * `bfd`: whole texts fitted together, longest first, overlong ones cut off; `bfd_split`: overlong ones go on
 * in another row; `wrapped`: everything in one line, cut every maxLength tokens.
 */
export type PackingStrategy = "bfd" | "bfd_split" | "wrapped";

/** A row of several texts. `seqLengths` are theirs, in order (absent with `wrapped`, where texts run on). */
export type PackedText = TokenizedText & { seqLengths?: number[] };

/** As TRL's `map` does, packing happens within this many rows at a time: what does not fill a row stays unfilled. */
export const PACKING_CHUNK = 1000;

/**
 * Packs texts into rows of at most `maxLength` tokens; same rows in the same order as TRL 1.16. The first token of
 * each text in a `bfd` row is masked, since nothing before it belongs to it.
 * Best-fit decreasing: Ding et al. 2024, "Fewer Truncations Improve Language Modeling" (arXiv 2404.10830).
 */
export function packTexts(
  texts: readonly TokenizedText[],
  options: { maxLength: number; strategy?: PackingStrategy; chunk?: number },
): PackedText[] {
  const { maxLength, strategy = "bfd", chunk = PACKING_CHUNK } = options;
  if (!Number.isInteger(maxLength) || maxLength < 1) {
    throw new SparError("data/packing", `packing: expected max_length ≥ 1, got ${maxLength}`, { hint: "packing needs max_length" });
  }
  const packed: PackedText[] = [];
  for (let from = 0; from < texts.length; from += chunk) {
    const part = texts.slice(from, from + chunk);
    packed.push(...(strategy === "wrapped" ? packWrapped(part, maxLength) : packBestFit(part, maxLength, strategy === "bfd_split")));
  }
  return packed;
}

function packWrapped(texts: readonly TokenizedText[], maxLength: number): PackedText[] {
  const { inputIds, completionMask } = joinTexts(texts);
  const rows: PackedText[] = [];
  for (let from = 0; from < inputIds.length; from += maxLength) {
    rows.push({ inputIds: inputIds.slice(from, from + maxLength), completionMask: completionMask.slice(from, from + maxLength) });
  }
  return rows;
}

function packBestFit(texts: readonly TokenizedText[], maxLength: number, split: boolean): PackedText[] {
  const fragments: TokenizedText[] = [];
  for (const text of texts) {
    const until = split ? text.inputIds.length : Math.min(text.inputIds.length, maxLength);
    for (let from = 0; from < until; from += maxLength) {
      const end = Math.min(from + maxLength, until);
      fragments.push(
        from === 0 && end === text.inputIds.length
          ? text
          : { inputIds: text.inputIds.slice(from, end), completionMask: text.completionMask.slice(from, end) },
      );
    }
  }
  const order = fragments.map((_, i) => i).sort((a, b) => fragments[b]!.inputIds.length - fragments[a]!.inputIds.length || a - b);
  const bins: TokenizedText[][] = [];
  // bins by the room they have left, oldest first; room 0 is of no use
  const byRoom: number[][] = Array.from({ length: maxLength + 1 }, () => []);
  for (const i of order) {
    const length = fragments[i]!.inputIds.length;
    let room = length;
    while (room < maxLength && byRoom[room]!.length === 0) room++;
    let bin: number;
    if (room < maxLength) bin = byRoom[room]!.shift()!;
    else bin = bins.push([]) - 1;
    bins[bin]!.push(fragments[i]!);
    byRoom[room - length]!.push(bin);
  }
  return bins.map((bin) => {
    const joined = joinTexts(bin);
    const seqLengths = bin.map((text) => text.inputIds.length);
    let start = 0;
    for (const length of seqLengths) {
      joined.completionMask[start] = 0;
      start += length;
    }
    return { ...joined, seqLengths };
  });
}

function joinTexts(texts: readonly TokenizedText[]): TokenizedText {
  let length = 0;
  for (const text of texts) length += text.inputIds.length;
  const inputIds = new Array<number>(length);
  const completionMask = new Uint8Array(length);
  let at = 0;
  for (const text of texts) {
    completionMask.set(text.completionMask, at);
    for (const id of text.inputIds) inputIds[at++] = id;
  }
  return { inputIds, completionMask };
}
