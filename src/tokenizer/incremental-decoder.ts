import type { Decoder } from "./decoder.ts";

/** Text for a stream of ids, never half a character. */
export interface IncrementalDecoder {
  /** The text this id completes; often empty in the middle of a character. */
  push(id: number): string;
  /** What is left at the end: replacement characters for a character that was never finished. */
  flush(): string;
}

/**
 * The pieces together are `decode(ids)`, with one exception: of a run of byte tokens that is not valid UTF-8 as a
 * whole, the characters that are valid are shown, as nobody knows yet that the run will be broken.
 * @param toToken the token's text; undefined for ids that decode to nothing
 */
export function createIncrementalDecoder(decoder: Decoder, toToken: (id: number) => string | undefined): IncrementalDecoder {
  return decoder.stream ? createByteStream(decoder.stream, toToken) : createWindowStream(decoder, toToken);
}

function createByteStream(stream: NonNullable<Decoder["stream"]>, toToken: (id: number) => string | undefined): IncrementalDecoder {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  let strip = stream.stripStart;
  const show = (text: string): string => {
    let from = 0;
    while (strip > 0 && from < text.length) {
      strip = text[from] === " " ? strip - 1 : 0;
      if (text[from] === " ") from++;
    }
    return text.slice(from);
  };
  return {
    push(id) {
      const token = toToken(id);
      return token === undefined ? "" : show(utf8.decode(stream.bytes(token), { stream: true }));
    },
    flush: () => show(utf8.decode()),
  };
}

/** For decoders that look at neighbours: decodes a short window with and without the new tokens. */
function createWindowStream(decoder: Decoder, toToken: (id: number) => string | undefined): IncrementalDecoder {
  let tokens: string[] = [];
  let shown = 0;
  const emit = (): string => {
    const before = decoder.decode(tokens.slice(0, shown));
    const text = decoder.decode(tokens);
    // The tokens shown last stay as context, for spaces between words and for what is stripped at a start.
    tokens = tokens.slice(shown);
    shown = tokens.length;
    return text.slice(before.length);
  };
  return {
    push(id) {
      const token = toToken(id);
      if (token === undefined) return "";
      tokens.push(token);
      // A character has at most four bytes: longer waits mean that it is broken.
      return decoder.decode(tokens).endsWith("\ufffd") && tokens.length - shown < 4 ? "" : emit();
    },
    flush: () => (tokens.length > shown ? emit() : ""),
  };
}
