/** What is known of a tensor before it has a value: dtype and shape. */
import { SparError } from "../internal/errors.ts";

export type DType = "float32" | "int32" | "int64" | "bool" | "uint8";
export type Shape = readonly number[];
export type TensorType = { readonly dtype: DType; readonly shape: Shape };

export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function formatType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(", ")}]`;
}

export function shapeError(operation: string, expected: string, got: readonly TensorType[]): SparError {
  return new SparError("tensor/shape-mismatch", `${operation}: expected ${expected}, got ${got.map(formatType).join(" and ")}`);
}

const bytesOf: Record<DType, number> = { float32: 4, int32: 4, int64: 8, bool: 1, uint8: 1 };

export function byteLengthOf(type: TensorType): number {
  return sizeOf(type.shape) * bytesOf[type.dtype];
}
