/** Finds stop texts in a stream of pieces, also across their borders, and holds back what may become one. */

export interface StopTexts {
  /** `text` may be shown; after `stopped` the stream is over, and the stop text is not part of it. */
  push(piece: string): { text: string; stopped: boolean };
  /** What was held back, at the end of a stream that did not stop. */
  flush(): string;
}

export function createStopTexts(stops: readonly string[]): StopTexts {
  let held = "";
  return {
    push(piece) {
      held += piece;
      const found = stops.map((stop) => held.indexOf(stop)).filter((at) => at >= 0);
      if (found.length > 0) {
        const text = held.slice(0, Math.min(...found));
        held = "";
        return { text, stopped: true };
      }
      const keep = Math.max(0, ...stops.map((stop) => overlap(held, stop)));
      const text = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text, stopped: false };
    },
    flush() {
      const text = held;
      held = "";
      return text;
    },
  };
}

/** How many characters at the end of `text` are the beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n;
  return 0;
}
