/**
 * ggml's block formats as f32, by the reference formulas of ggml-quants.c. Scales are half precision and the small
 * integers exact, so each value is rounded once, when it is stored: the same bits as Python's `gguf.dequantize`.
 */
import { convertToF32, parseHalf } from "./dtype.ts";

/** Quantised formats that spar reads. */
export type QuantType = "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "Q4_K" | "Q5_K" | "Q6_K";

/** A block of `elements` weights takes `bytes`; `dequantise` reads whole blocks. */
export type GgufFormat = {
  readonly name: "F32" | "F16" | "BF16" | QuantType;
  readonly elements: number;
  readonly bytes: number;
  /** `source` (whole blocks) → f32 in `target` from `offset` on. */
  dequantise(source: Uint8Array, target: Float32Array, offset: number): void;
};

type Block = (bytes: Uint8Array, at: number, out: Float32Array, o: number) => void;

/** Formats by the number a file names them with. */
export const GGUF_FORMATS: ReadonlyMap<number, GgufFormat> = new Map<number, GgufFormat>([
  [0, createPlainFormat("F32", 4)],
  [1, createPlainFormat("F16", 2)],
  [30, createPlainFormat("BF16", 2)],
  [2, createBlockFormat("Q4_0", 32, 18, expandQ4_0)],
  [3, createBlockFormat("Q4_1", 32, 20, expandQ4_1)],
  [6, createBlockFormat("Q5_0", 32, 22, expandQ5_0)],
  [7, createBlockFormat("Q5_1", 32, 24, expandQ5_1)],
  [8, createBlockFormat("Q8_0", 32, 34, expandQ8_0)],
  [12, createBlockFormat("Q4_K", 256, 144, expandQ4_K)],
  [13, createBlockFormat("Q5_K", 256, 176, expandQ5_K)],
  [14, createBlockFormat("Q6_K", 256, 210, expandQ6_K)],
]);

/** Names of formats that spar does not read, for error messages. */
export const OTHER_FORMATS: { readonly [id: number]: string } = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

function createPlainFormat(name: "F32" | "F16" | "BF16", bytes: number): GgufFormat {
  return { name, elements: 1, bytes, dequantise: (source, target, offset) => convertToF32(name, source, target, offset) };
}

function createBlockFormat(name: QuantType, elements: number, bytes: number, expand: Block): GgufFormat {
  return {
    name,
    elements,
    bytes,
    dequantise(source, target, offset) {
      for (let at = 0, o = offset; at < source.length; at += bytes, o += elements) expand(source, at, target, o);
    },
  };
}

function halfAt(bytes: Uint8Array, at: number): number {
  return parseHalf(bytes[at]! | (bytes[at + 1]! << 8));
}

function expandQ4_0(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 2 + i]!;
    out[o + i] = d * ((q & 15) - 8);
    out[o + 16 + i] = d * ((q >> 4) - 8);
  }
}

function expandQ4_1(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  const m = halfAt(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 4 + i]!;
    out[o + i] = d * (q & 15) + m;
    out[o + 16 + i] = d * (q >> 4) + m;
  }
}

/** Four bytes hold the fifth bit of 32 weights. */
function highBits(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function expandQ5_0(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  const high = highBits(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 6 + i]!;
    out[o + i] = d * (((q & 15) | (((high >>> i) & 1) << 4)) - 16);
    out[o + 16 + i] = d * (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
  }
}

function expandQ5_1(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  const m = halfAt(bytes, at + 2);
  const high = highBits(bytes, at + 4);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 8 + i]!;
    out[o + i] = d * ((q & 15) | (((high >>> i) & 1) << 4)) + m;
    out[o + 16 + i] = d * ((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) + m;
  }
}

function expandQ8_0(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  for (let i = 0; i < 32; i++) out[o + i] = d * ((bytes[at + 2 + i]! << 24) >> 24);
}

/** Scale `j` of eight 6-bit scales and eight 6-bit minima, packed in twelve bytes. */
function scaleAt(bytes: Uint8Array, at: number, j: number): number {
  return j < 4 ? bytes[at + j]! & 63 : (bytes[at + j + 4]! & 15) | ((bytes[at + j - 4]! >> 6) << 4);
}

function minimumAt(bytes: Uint8Array, at: number, j: number): number {
  return j < 4 ? bytes[at + j + 4]! & 63 : (bytes[at + j + 4]! >> 4) | ((bytes[at + j]! >> 6) << 4);
}

function expandQ4_K(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  const dmin = halfAt(bytes, at + 2);
  for (let j = 0; j < 8; j++) {
    const scale = d * scaleAt(bytes, at + 4, j);
    const minimum = dmin * minimumAt(bytes, at + 4, j);
    const q = at + 16 + 32 * (j >> 1);
    const shift = 4 * (j & 1);
    for (let i = 0; i < 32; i++) out[o + 32 * j + i] = scale * ((bytes[q + i]! >> shift) & 15) - minimum;
  }
}

function expandQ5_K(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at);
  const dmin = halfAt(bytes, at + 2);
  for (let j = 0; j < 8; j++) {
    const scale = d * scaleAt(bytes, at + 4, j);
    const minimum = dmin * minimumAt(bytes, at + 4, j);
    const q = at + 48 + 32 * (j >> 1);
    const shift = 4 * (j & 1);
    for (let i = 0; i < 32; i++) {
      const high = ((bytes[at + 16 + i]! >> j) & 1) << 4;
      out[o + 32 * j + i] = scale * (((bytes[q + i]! >> shift) & 15) | high) - minimum;
    }
  }
}

function expandQ6_K(bytes: Uint8Array, at: number, out: Float32Array, o: number): void {
  const d = halfAt(bytes, at + 208);
  for (let half = 0; half < 2; half++) {
    const low = at + 64 * half;
    const high = at + 128 + 32 * half;
    const scales = at + 192 + 8 * half;
    for (let part = 0; part < 4; part++) {
      const q = low + 32 * (part & 1);
      const shift = part < 2 ? 0 : 4;
      for (let i = 0; i < 32; i++) {
        const scale = (bytes[scales + 2 * part + (i >> 4)]! << 24) >> 24;
        const value = (((bytes[q + i]! >> shift) & 15) | (((bytes[high + i]! >> (2 * part)) & 3) << 4)) - 32;
        out[o + 128 * half + 32 * part + i] = d * scale * value;
      }
    }
  }
}
