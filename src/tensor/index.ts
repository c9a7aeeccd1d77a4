export { apply, byteLengthOf, formatType, isNode, recomputed, sameShape, sizeOf } from "./tensor.ts";
export type { DType, Node, Shape, Tensor, TensorData, TensorType } from "./tensor.ts";
export type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
export { buildGraph, type Graph } from "./graph.ts";
export { accumulate, grad } from "./grad.ts";
export { evaluateGraph } from "./evaluate.ts";
export { printGraph } from "./print.ts";
export { verifyGraph } from "./verify.ts";
export * from "./ops.ts";
