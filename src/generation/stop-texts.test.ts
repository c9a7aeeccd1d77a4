import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStopTexts } from "./stop-texts.ts";

function feed(stops: readonly string[], pieces: readonly string[]): { shown: string[]; stoppedAt: number | undefined } {
  const stream = createStopTexts(stops);
  const shown: string[] = [];
  for (const [i, piece] of pieces.entries()) {
    const { text, stopped } = stream.push(piece);
    shown.push(text);
    if (stopped) return { shown, stoppedAt: i };
  }
  shown.push(stream.flush());
  return { shown, stoppedAt: undefined };
}

describe("createStopTexts", () => {
  test("finds a stop text across pieces and shows nothing of it", () => {
    expect(feed(["\n\nHuman:"], ["Hello.", "\n", "\nHu", "man: hi"])).toEqual({ shown: ["Hello.", "", "", ""], stoppedAt: 3 });
  });

  test("shows what was held back once it is no stop text", () => {
    expect(feed(["END"], ["the E", "N", "d"])).toEqual({ shown: ["the ", "", "ENd", ""], stoppedAt: undefined });
    expect(feed(["END"], ["the EN"])).toEqual({ shown: ["the ", "EN"], stoppedAt: undefined });
  });

  test("takes the first of several, also inside one piece", () => {
    expect(feed(["b", "cd"], ["aacdb"])).toEqual({ shown: ["aa"], stoppedAt: 0 });
    expect(feed(["aab"], ["aa", "ab"])).toEqual({ shown: ["", "a"], stoppedAt: 1 });
  });

  test("without stop texts lets all pass at once", () => {
    expect(feed([], ["a", "", "b"])).toEqual({ shown: ["a", "", "b", ""], stoppedAt: undefined });
  });

  test("shows the text up to the first stop text, however it is cut into pieces", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "c", "ab", "ba"), { maxLength: 12 });
    fc.assert(
      fc.property(letters, (pieces) => {
        const whole = pieces.join("");
        const { shown, stoppedAt } = feed(["abc", "bab"], pieces);
        const found = ["abc", "bab"].map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
        // A stop text is found as soon as it is there, so a later piece cannot bring an earlier one.
        if (found.length === 0) expect({ text: shown.join(""), stoppedAt }).toEqual({ text: whole, stoppedAt: undefined });
        else expect(stoppedAt).toBeDefined();
        expect(whole.startsWith(shown.join(""))).toBe(true);
        expect(/abc|bab/.test(shown.join(""))).toBe(false);
      }),
      { seed: 2 },
    );
  });
});
