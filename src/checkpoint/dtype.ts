import { SparError } from "../internal/errors.ts";

/** Element types of safetensors files that spar reads; bytes per element. */
export const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;

export type DType = keyof typeof DTYPE_BYTES;

/** What floating-point weights may be stored as. */
export type StorageDType = "F32" | "F16" | "BF16";

export function isDType(name: string): name is DType {
  return Object.hasOwn(DTYPE_BYTES, name);
}

const f32 = new Float32Array(1);
const bits = new Uint32Array(f32.buffer);

/** The value of a half-precision bit pattern (IEEE 754 binary16). */
export function parseHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

let halfTable: Float32Array | undefined;

/** All 65,536 half-precision values: a look-up is several times faster than arithmetic on every weight. */
function getHalfTable(): Float32Array {
  return (halfTable ??= Float32Array.from({ length: 65536 }, (_, half) => parseHalf(half)));
}

/** Nearest half-precision bit pattern, ties to even; overflow becomes infinity, as in NumPy and PyTorch. */
export function formatHalf(value: number): number {
  f32[0] = value;
  const x = bits[0]!;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: the value in units of 2^-24; doubles hold it and its ties exactly.
    const units = Math.abs(f32[0]!) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor & 1) ? floor + 1 : floor);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** Nearest bfloat16 bit pattern, ties to even. */
export function formatBfloat16(value: number): number {
  f32[0] = value;
  const x = bits[0]!;
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 0x40;
  return ((x + 0x7fff + ((x >>> 16) & 1)) >>> 16) & 0xffff;
}

/**
 * Converts `source.length / bytes per element` little-endian elements to f32 into `target` at `offset`.
 * Integers beyond 2^24 lose digits, as any f32 does.
 */
export function convertToF32(dtype: DType, source: Uint8Array, target: Float32Array, offset: number): void {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const n = source.byteLength / DTYPE_BYTES[dtype];
  switch (dtype) {
    case "F32":
      for (let i = 0; i < n; i++) target[offset + i] = view.getFloat32(4 * i, true);
      return;
    case "BF16": {
      const words = new Uint32Array(target.buffer, target.byteOffset + 4 * offset, n);
      for (let i = 0; i < n; i++) words[i] = view.getUint16(2 * i, true) << 16;
      return;
    }
    case "F16": {
      const table = getHalfTable();
      for (let i = 0; i < n; i++) target[offset + i] = table[view.getUint16(2 * i, true)]!;
      return;
    }
    case "F64":
      for (let i = 0; i < n; i++) target[offset + i] = view.getFloat64(8 * i, true);
      return;
    case "I64":
      for (let i = 0; i < n; i++) target[offset + i] = Number(view.getBigInt64(8 * i, true));
      return;
    case "I32":
      for (let i = 0; i < n; i++) target[offset + i] = view.getInt32(4 * i, true);
      return;
    case "I16":
      for (let i = 0; i < n; i++) target[offset + i] = view.getInt16(2 * i, true);
      return;
    case "I8":
      for (let i = 0; i < n; i++) target[offset + i] = view.getInt8(i);
      return;
    case "U8":
      for (let i = 0; i < n; i++) target[offset + i] = source[i]!;
      return;
    case "BOOL":
      for (let i = 0; i < n; i++) target[offset + i] = source[i] ? 1 : 0;
      return;
  }
}

/** Bytes of `values` stored as `dtype`, little-endian. */
export function convertFromF32(dtype: StorageDType, values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * DTYPE_BYTES[dtype]);
  const view = new DataView(bytes.buffer);
  if (dtype === "F32") for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  else if (dtype === "F16") for (let i = 0; i < values.length; i++) view.setUint16(2 * i, formatHalf(values[i]!), true);
  else if (dtype === "BF16") for (let i = 0; i < values.length; i++) view.setUint16(2 * i, formatBfloat16(values[i]!), true);
  else throw new SparError("checkpoint/dtype", `Storing weights: unknown storage type ${String(dtype)}; expected F32, F16 or BF16.`);
  return bytes;
}
