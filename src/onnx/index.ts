export type { AttributeValue, OnnxInitializer, OnnxModel, OnnxNode, OnnxValue } from "./model.ts";
export { elementTypeOf, encodeModel } from "./emit.ts";
export { lower, type LowerOptions } from "./lower.ts";
export { inspectModel } from "./inspect.ts";
