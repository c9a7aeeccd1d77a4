/** What two texts do not share, by words; by lines where they are long, so that the page never stops for it. */

export interface DiffPart {
  readonly text: string;
  /** Not in the other text. */
  readonly own: boolean;
}

export interface TextDiff {
  readonly left: readonly DiffPart[];
  readonly right: readonly DiffPart[];
  /** `none`: too long to be compared at all. */
  readonly by: "words" | "lines" | "none";
}

/** Cells of the table of common subsequences: 4 million take about 30 ms and 8 MB. */
const maxCells = 4_000_000;

/** The parts of each side, joined, are the text that was given. */
export function diffTexts(left: string, right: string): TextDiff {
  for (const [by, pattern] of [
    ["words", /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu],
    ["lines", /[^\n]*\n|[^\n]+/g],
  ] as const) {
    const parts = diffTokens(left.match(pattern) ?? [], right.match(pattern) ?? []);
    if (parts !== null) return { ...parts, by };
  }
  return { left: [{ text: left, own: false }], right: [{ text: right, own: false }], by: "none" };
}

/** Null where the table would be too large. */
function diffTokens(left: readonly string[], right: readonly string[]): Pick<TextDiff, "left" | "right"> | null {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let leftEnd = left.length;
  let rightEnd = right.length;
  while (leftEnd > start && rightEnd > start && left[leftEnd - 1] === right[rightEnd - 1]) {
    leftEnd--;
    rightEnd--;
  }
  const rows = leftEnd - start;
  const columns = rightEnd - start;
  if ((rows + 1) * (columns + 1) > maxCells) return null;
  // common[i][j]: length of the longest common subsequence of what follows from i and j; at most the root of maxCells, so 16 bits hold it.
  const width = columns + 1;
  const common = new Uint16Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      common[i * width + j] =
        left[start + i] === right[start + j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const leftOwn = new Uint8Array(left.length);
  const rightOwn = new Uint8Array(right.length);
  let i = 0;
  let j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && left[start + i] === right[start + j]) {
      i++;
      j++;
    } else if (j >= columns || (i < rows && common[(i + 1) * width + j] >= common[i * width + j + 1])) leftOwn[start + i++] = 1;
    else rightOwn[start + j++] = 1;
  }
  return { left: joinParts(left, leftOwn), right: joinParts(right, rightOwn) };
}

function joinParts(tokens: readonly string[], own: Uint8Array): DiffPart[] {
  const parts: { text: string; own: boolean }[] = [];
  for (const [at, text] of tokens.entries()) {
    // A space between two words that are own would only tear them apart.
    const isOwn = own[at] === 1 || (own[at - 1] === 1 && own[at + 1] === 1 && /^\s+$/.test(text));
    const last = parts.at(-1);
    if (last?.own === isOwn) last.text += text;
    else parts.push({ text, own: isOwn });
  }
  return parts;
}
