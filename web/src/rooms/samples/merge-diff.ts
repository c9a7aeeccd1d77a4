/** Two sides of a diff as one text. */
import type { TextDiff } from "../label/word-diff.ts";

export interface MergedPart {
  readonly text: string;
  readonly kind: "same" | "added" | "removed";
}

/**
 * What is shared once, what is gone before what came. Without the removed parts it is the right text, without the added ones the
 * left. What both sides call shared may differ by spaces, which count to the side that has them.
 */
export function mergeDiff({ left, right }: Pick<TextDiff, "left" | "right">): MergedPart[] {
  const merged: MergedPart[] = [];
  const add = (kind: MergedPart["kind"], text: string): void => {
    if (text === "") return;
    const last = merged.at(-1);
    if (last?.kind === kind) merged[merged.length - 1] = { kind, text: last.text + text };
    else merged.push({ kind, text });
  };
  const [a, b] = [createReader(left), createReader(right)];
  for (;;) {
    add("removed", a.takeOwn());
    add("added", b.takeOwn());
    const [x, y] = [a.shared(), b.shared()];
    if (x === "" || y === "") {
      add("removed", a.take(x.length));
      add("added", b.take(y.length));
      if (x === "" && y === "") return merged;
      continue;
    }
    let same = 0;
    while (same < x.length && same < y.length && x[same] === y[same]) same++;
    add("same", a.take(same));
    b.take(same);
    if (same > 0) continue;
    const [spaceX, spaceY] = [countSpaces(x), countSpaces(y)];
    add("removed", a.take(spaceX > 0 || spaceY > 0 ? spaceX : x.length));
    add("added", b.take(spaceX > 0 || spaceY > 0 ? spaceY : y.length));
  }
}

interface Reader {
  /** What is the side's own here; empty where something shared comes. */
  takeOwn(): string;
  /** What is left of the shared part here; empty at the end. */
  shared(): string;
  take(length: number): string;
}

function createReader(parts: TextDiff["left"]): Reader {
  let index = 0;
  let offset = 0;
  return {
    takeOwn() {
      let text = "";
      while (parts[index]?.own === true) text += parts[index++].text;
      return text;
    },
    shared: () => parts[index]?.text.slice(offset) ?? "",
    take(length) {
      const text = parts[index]?.text.slice(offset, offset + length) ?? "";
      offset += text.length;
      if (offset >= (parts[index]?.text.length ?? 0)) {
        index++;
        offset = 0;
      }
      return text;
    },
  };
}

function countSpaces(text: string): number {
  return text.length - text.trimStart().length;
}
