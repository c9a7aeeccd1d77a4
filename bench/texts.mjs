/** Random texts of an exact number of tokens, for trainers that read texts. */

/**
 * Texts for rows of several parts: part i of every row is `lengths[i]` tokens long, also where it follows part 0 directly (as
 * completions follow their prompt).
 */
export function makeRows(tokenizer, count, lengths, usable = tokenizer.vocabSize - 1) {
  const rows = [];
  const fits = (text, length) => tokenizer.encode(text).length === length;
  /** No token spans the seam: a pair's row would hold it twice, and be a bucket longer than it says. */
  const follows = (before, text, length) => {
    const ids = tokenizer.encode(before + text);
    const prefix = tokenizer.encode(before);
    return ids.length === prefix.length + length && prefix.every((id, i) => ids[i] === id);
  };
  let seed = 0;
  const draw = (length, before) => {
    for (let attempt = 0; attempt < 10_000; attempt++) {
      seed++;
      const ids = Array.from({ length: 2 * length }, (_, t) => (seed * 7919 + t * 104729) % usable);
      const text = tokenizer.decode(tokenizer.encode(tokenizer.decode(ids)).slice(0, length));
      if (fits(text, length) && (before === undefined || follows(before, text, length))) return text;
    }
    throw new Error(`no text of ${length} tokens found`);
  };
  while (rows.length < count) {
    const first = draw(lengths[0]);
    rows.push([first, ...lengths.slice(1).map((length) => draw(length, first))]);
  }
  return rows;
}
