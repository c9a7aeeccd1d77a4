/** An ONNX model as plain data, between `lower.ts` (which builds it) and `emit.ts` (which writes its bytes). */
import type { DType, Shape, TensorData } from "../tensor/index.ts";

export type AttributeValue = number | { int: number } | string | readonly number[] | { floats: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  /** "" is ai.onnx; "com.microsoft" the contributed operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** A plain number is an integer attribute when it is one of `{int}`, otherwise a float; a list is of integers unless `{floats}`. */
  readonly attributes: { readonly [name: string]: AttributeValue };
}

export interface OnnxValue {
  readonly name: string;
  /** What callers call it, where that differs: an output may share an input's name, in ONNX it may not. */
  readonly key?: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** `data` undefined: the bytes are given to the session from memory (external initializer). */
export interface OnnxInitializer extends OnnxValue {
  readonly data: TensorData | undefined;
}

export interface OnnxModel {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
  readonly nodes: readonly OnnxNode[];
}
