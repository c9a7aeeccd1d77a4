import { CHAR_TO_BYTE } from "./byte-level.ts";
import { createLibraryPart } from "./pre-tokenizer.ts";
import type { ComponentJson } from "./tokenizer-json.ts";

/** Tokens to text. Byte runs become text as Python's tokenizers has it, which the library does not do. */
export type Decoder = {
  decode(tokens: readonly string[]): string;
  /**
   * The bytes one token stands for, where text is the concatenation of tokens' bytes: then a stream needs no
   * look-back. `stripStart` leading spaces of the whole text are not shown.
   */
  stream: { bytes(token: string): Uint8Array; stripStart: number } | undefined;
};

type Chain = (tokens: string[]) => string[];

const encoder = new TextEncoder();

export function createDecoder(json: ComponentJson | null | undefined): Decoder {
  if (json == null) return { decode: (tokens) => tokens.join(" "), stream: undefined };
  const steps = listSteps(json);
  const chains = steps.map(createChain);
  return {
    decode: (tokens) => chains.reduce((list, chain) => chain(list), [...tokens]).join(""),
    stream: createStream(steps),
  };
}

function listSteps(json: ComponentJson): ComponentJson[] {
  return json.type === "Sequence" ? ((json.decoders ?? []) as ComponentJson[]).flatMap(listSteps) : [json];
}

function createChain(json: ComponentJson): Chain {
  switch (json.type) {
    case "ByteLevel":
      return (tokens) => [decodeUtf8(joinBytes(tokens.map(toLevelBytes)))];
    case "ByteFallback":
      return decodeByteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "Strip": {
      const { content, start, stop } = json as { content?: string; start?: number; stop?: number };
      return (tokens) => tokens.map((token) => stripChars(token, content ?? " ", start ?? 0, stop ?? 0));
    }
    case "Replace": {
      const literal = (json.pattern as { String?: string } | undefined)?.String;
      if (literal === undefined) break;
      return (tokens) => tokens.map((token) => token.split(literal).join(String(json.content ?? "")));
    }
    case "Metaspace": {
      const mark = String(json.replacement ?? "▁");
      const strips = (json.prepend_scheme ?? (json.add_prefix_space === false ? "never" : "always")) !== "never";
      return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && strips ? "" : " "));
    }
  }
  const part = createLibraryPart("decoder", json).decoder!;
  return (tokens) => part.decode_chain(tokens);
}

function createStream(steps: readonly ComponentJson[]): Decoder["stream"] {
  const types = steps.map(({ type }) => type);
  if (types.length === 1 && types[0] === "ByteLevel") return { bytes: toLevelBytes, stripStart: 0 };
  const replaces: [string, string][] = [];
  let [fused, fallback, stripStart] = [false, false, 0];
  for (const step of steps) {
    const literal = (step.pattern as { String?: string } | undefined)?.String;
    if (step.type === "Replace" && literal !== undefined && !fused && !fallback) replaces.push([literal, String(step.content ?? "")]);
    else if (step.type === "ByteFallback" && !fused) fallback = true;
    else if (step.type === "Fuse") fused = true;
    else if (step.type === "Strip" && fused && (step.content ?? " ") === " " && !step.stop && stripStart === 0)
      stripStart = Number(step.start ?? 0);
    else return undefined;
  }
  const bytes = (token: string): Uint8Array => {
    const byte = fallback ? parseByteToken(token) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    return encoder.encode(replaces.reduce((text, [from, to]) => text.split(from).join(to), token));
  };
  return { bytes, stripStart };
}

/** Tokens written in GPT-2's alphabet are bytes; others (added tokens) are their own UTF-8. */
function toLevelBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHAR_TO_BYTE.get(token[i]!);
    if (byte === undefined) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

/** A run of byte tokens becomes text when it is valid UTF-8, and a replacement character a byte when it is not. */
function decodeByteFallback(tokens: string[]): string[] {
  const out: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    const text = decodeUtf8Strictly(Uint8Array.from(run));
    out.push(text ?? "\ufffd".repeat(run.length));
    run = [];
  };
  for (const token of tokens) {
    const byte = parseByteToken(token);
    if (byte !== undefined) run.push(byte);
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

function parseByteToken(token: string): number | undefined {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : undefined;
}

function stripChars(token: string, content: string, start: number, stop: number): string {
  const chars = Array.from(token);
  let [from, to] = [0, chars.length];
  while (from < Math.min(start, chars.length) && chars[from] === content) from++;
  while (chars.length - to < stop && to > from && chars[to - 1] === content) to--;
  return chars.slice(from, to).join("");
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function decodeUtf8Strictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
