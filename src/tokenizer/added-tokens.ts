import type { AddedTokenJson } from "./tokenizer-json.ts";

/** A piece of text: ordinary (id undefined) or exactly one added token. */
export type Section = { text: string; id: number | undefined };

/**
 * Cuts added tokens (`<|im_end|>` …) out of a text: leftmost, then longest; `lstrip` and `rstrip` tokens take the
 * white space beside them, `single_word` ones are passed over inside a word.
 */
export function createAddedTokenSplitter(
  tokens: readonly AddedTokenJson[],
  normalize: (text: string) => string,
): (text: string) => Section[] {
  const byContent = new Map<string, AddedTokenJson>();
  for (const token of tokens) {
    const content = normalize(token.content);
    if (content.length > 0) byContent.set(content, token);
  }
  if (byContent.size === 0) return (text) => (text.length > 0 ? [{ text, id: undefined }] : []);
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "gu");

  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      // A token before may have taken this one's first white space.
      if (start < done) continue;
      if (
        token.single_word &&
        (/[\p{L}\p{M}\p{N}\p{Pc}]$/u.test(text.slice(Math.max(0, start - 2), start)) ||
          /^[\p{L}\p{M}\p{N}\p{Pc}]/u.test(text.slice(end, end + 2)))
      )
        continue;
      if (token.lstrip) start = done + text.slice(done, start).replace(/\p{White_Space}+$/u, "").length;
      if (token.rstrip) end += /^\p{White_Space}*/u.exec(text.slice(end))![0].length;
      if (start > done) sections.push({ text: text.slice(done, start), id: undefined });
      sections.push({ text: text.slice(start, end), id: token.id });
      done = end;
    }
    if (done < text.length) sections.push({ text: text.slice(done), id: undefined });
    return sections;
  };
}
