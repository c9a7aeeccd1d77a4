import { Tokenizer as Library } from "@huggingface/tokenizers";
import { SparError } from "../internal/errors.ts";
import { GPT2_PATTERN } from "./byte-level.ts";
import type { ComponentJson } from "./tokenizer-json.ts";

/** Cuts a piece of text into smaller ones; `first` is true for the piece at the very start of the text. */
export type PreTokenizer = (text: string, first: boolean) => string[];

/** A tokenizer that has nothing but the named component: the library's way to one component. */
export function createLibraryPart(part: "normalizer" | "pre_tokenizer" | "post_processor" | "decoder", json: ComponentJson): Library {
  const empty = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    return new Library({ ...empty, model: { type: "BPE", vocab: {}, merges: [] }, [part]: json }, {});
  } catch (cause) {
    throw new SparError(
      "tokenizer/unsupported",
      `Reading tokenizer.json: its ${part} of type ${JSON.stringify(json.type)} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
}

/**
 * The pre-tokenizer of a tokenizer.json. `bytes` says that its last stage is byte-level: the pieces are then plain
 * text, to be encoded as UTF-8 bytes. Splits are done here, as the library knows neither all behaviours nor
 * Unicode digits; other types are the library's.
 */
export function createPreTokenizer(json: ComponentJson | null | undefined): { bytes: boolean; split: PreTokenizer } {
  const stages = listStages(json);
  const bytes = stages.at(-1)?.type === "ByteLevel";
  const functions = stages.map(createStage);
  const split: PreTokenizer = (text, first) => {
    let pieces = [text];
    for (const stage of functions) pieces = pieces.flatMap((piece, i) => stage(piece, first && i === 0));
    return pieces;
  };
  return { bytes, split };
}

function listStages(json: ComponentJson | null | undefined): ComponentJson[] {
  if (json == null) return [];
  if (json.type === "Sequence") return ((json.pretokenizers ?? []) as ComponentJson[]).flatMap(listStages);
  return [json];
}

function createStage(json: ComponentJson): PreTokenizer {
  switch (json.type) {
    case "ByteLevel": {
      const prefix = json.add_prefix_space ?? true;
      const regex = json.use_regex ?? true;
      return (text) => {
        const prefixed = prefix && !text.startsWith(" ") ? ` ${text}` : text;
        return regex ? (prefixed.match(GPT2_PATTERN) ?? []) : [prefixed];
      };
    }
    case "Split": {
      const pattern = json.pattern as { String?: string; Regex?: string };
      const regex = typeof pattern.String === "string" ? createLiteral(pattern.String) : translatePattern(json);
      return createSplitter(regex, String(json.behavior ?? "Isolated"), json.invert === true);
    }
    case "Digits":
      return createSplitter(/\p{N}/gu, json.individual_digits ? "Isolated" : "Contiguous", false);
    case "Punctuation":
      return createSplitter(/[\p{P}!-/:-@[-`{-~]/gu, String(json.behavior ?? "Isolated"), false);
    case "WhitespaceSplit":
      return createSplitter(/\p{White_Space}/gu, "Removed", false);
    case "Metaspace":
      return createMetaspace(json);
    default: {
      const part = createLibraryPart("pre_tokenizer", json).pre_tokenizer!;
      return (text, first) => part.pre_tokenize(text, { section_index: first ? 0 : 1 } as never);
    }
  }
}

/** The library translates Oniguruma's syntax to JavaScript's; the result is a field that its types do not show. */
function translatePattern(json: ComponentJson): RegExp {
  const part: unknown = createLibraryPart("pre_tokenizer", json).pre_tokenizer;
  return (part as { pattern: RegExp }).pattern;
}

function createLiteral(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
}

function createMetaspace(json: ComponentJson): PreTokenizer {
  const mark = String(json.replacement ?? "▁");
  // Files before 2023 say add_prefix_space instead.
  const scheme = json.prepend_scheme ?? (json.add_prefix_space === false ? "never" : "always");
  const cut = json.split === false ? undefined : createSplitter(createLiteral(mark), "MergedWithNext", false);
  return (text, first) => {
    let marked = text.replaceAll(" ", mark);
    if ((scheme === "always" || (scheme === "first" && first)) && !marked.startsWith(mark)) marked = mark + marked;
    return cut ? cut(marked, first) : [marked];
  };
}

function createSplitter(pattern: RegExp, behavior: string, invert: boolean): PreTokenizer {
  return (text) => {
    const pieces: { text: string; matched: boolean }[] = [];
    let done = 0;
    const add = (end: number, matched: boolean) => {
      if (end > done) pieces.push({ text: text.slice(done, end), matched: matched !== invert });
      done = end;
    };
    for (const match of text.matchAll(pattern)) {
      add(match.index, false);
      add(match.index + match[0].length, true);
    }
    add(text.length, false);
    switch (behavior) {
      case "Isolated":
        return pieces.map(({ text }) => text);
      case "Removed":
        return pieces.filter(({ matched }) => !matched).map(({ text }) => text);
      case "Contiguous":
        return joinPieces(pieces, (left, right) => left.matched === right.matched);
      case "MergedWithPrevious":
        return joinPieces(pieces, (left, right) => right.matched && !left.matched);
      case "MergedWithNext":
        return joinPieces(pieces, (left, right) => left.matched && !right.matched);
      default:
        throw new SparError(
          "tokenizer/unsupported",
          `Reading tokenizer.json: a pre-tokenizer's behavior is ${JSON.stringify(behavior)}; expected Isolated, Removed, Contiguous, MergedWithPrevious or MergedWithNext.`,
        );
    }
  };
}

function joinPieces<P extends { text: string; matched: boolean }>(pieces: readonly P[], joins: (left: P, right: P) => boolean): string[] {
  const joined: string[] = [];
  for (const [i, piece] of pieces.entries()) {
    if (i > 0 && joins(pieces[i - 1]!, piece)) joined.push(joined.pop()! + piece.text);
    else joined.push(piece.text);
  }
  return joined;
}
