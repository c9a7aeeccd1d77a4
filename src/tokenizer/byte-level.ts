/**
 * GPT-2's alphabet: a printable character for each byte, so that a byte-level vocabulary can be written as text.
 * Printable Latin-1 stands for itself, the other 68 bytes are U+0100 and following.
 */
export const BYTE_TO_CHAR: readonly string[] = createByteAlphabet();

export const CHAR_TO_BYTE: ReadonlyMap<string, number> = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));

function createByteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** GPT-2's word pattern. `\p{White_Space}` and not `\s`, which in JavaScript also matches U+FEFF and not U+0085. */
export const GPT2_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** V8 keeps the whole text alive for a slice of 13 characters or more; a word that is kept must not do that. */
export function copyString(slice: string): string {
  return slice.length < 13 ? slice : Buffer.from(slice, "utf16le").toString("utf16le");
}
