/** An ONNX model as bytes: onnx.proto of ONNX 1.18 (IR version 11), written with `protobuf.ts`. */
import { SparError } from "../internal/errors.ts";
import type { DType, TensorData } from "../tensor/index.ts";
import type { AttributeValue, OnnxInitializer, OnnxModel, OnnxNode, OnnxValue } from "./model.ts";
import {
  delimitedField,
  encodeVarint,
  flattenMessage,
  floatField,
  integerField,
  joinMessages,
  rawBytes,
  type Message,
} from "./protobuf.ts";

const irVersion = 11;
/** Default versions: what ONNX Runtime 1.24 and later know. */
const defaultOpset = 23;

/** TensorProto.DataType. */
export const elementTypeOf: { readonly [D in DType]: number } = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 };

const bytesOf: { readonly [D in DType]: number } = { float32: 4, uint8: 1, int32: 4, int64: 8, bool: 1 };

/** External tensors need a location; the bytes come from memory (AddExternalInitializers), and no file of this name is opened. */
const externalLocation = "memory";

/**
 * Encodes a model. Initializers without data become external ones (`data_location` EXTERNAL), to be given to the session.
 * `opset` is the version of the ai.onnx operators (default 23). Throws `onnx/invalid-initializer` where data and shape differ.
 */
export function encodeModel(model: OnnxModel, options: { opset?: number } = {}): Uint8Array {
  const graph = joinMessages([
    ...model.nodes.map((node, index) => delimitedField(1, encodeNode(node, index))),
    delimitedField(2, "spar"),
    ...model.initializers.map((initializer) => delimitedField(5, encodeInitializer(initializer))),
    ...model.inputs.map((value) => delimitedField(11, encodeValue(value))),
    ...model.outputs.map((value) => delimitedField(12, encodeValue(value))),
  ]);
  return flattenMessage(
    joinMessages([
      integerField(1, irVersion),
      delimitedField(2, "spar"),
      delimitedField(7, graph),
      delimitedField(8, joinMessages([delimitedField(1, ""), integerField(2, options.opset ?? defaultOpset)])),
      delimitedField(8, joinMessages([delimitedField(1, "com.microsoft"), integerField(2, 1)])),
    ]),
  );
}

function encodeNode(node: OnnxNode, index: number): Message {
  return joinMessages([
    ...node.inputs.map((name) => delimitedField(1, name)),
    ...node.outputs.map((name) => delimitedField(2, name)),
    // The number finds a node of a profile in the printed model.
    delimitedField(3, `${node.op}_${index}`),
    delimitedField(4, node.op),
    ...Object.entries(node.attributes).map(([name, value]) => delimitedField(5, encodeAttribute(name, value))),
    ...(node.domain === "" ? [] : [delimitedField(7, node.domain)]),
  ]);
}

function encodeAttribute(name: string, value: AttributeValue): Message {
  return joinMessages([delimitedField(1, name), ...encodeAttributeValue(value)]);
}

function encodeAttributeValue(value: AttributeValue): Message[] {
  if (typeof value === "number") return [floatField(2, value), integerField(20, 1)];
  if (typeof value === "string") return [delimitedField(4, value), integerField(20, 3)];
  if ("int" in value) return [integerField(3, value.int), integerField(20, 2)];
  if ("floats" in value) return [...value.floats.map((x) => floatField(7, x)), integerField(20, 6)];
  return [...value.map((x) => integerField(8, x)), integerField(20, 7)];
}

function encodeInitializer(initializer: OnnxInitializer): Message {
  const { name, dtype, shape, data } = initializer;
  const byteLength = shape.reduce((product, d) => product * d, 1) * bytesOf[dtype];
  if (data !== undefined && data.byteLength !== byteLength) {
    throw new SparError(
      "onnx/invalid-initializer",
      `encodeModel: initializer "${name}" ${dtype}[${shape.join(", ")}] expected ${byteLength} bytes, got ${data.byteLength}`,
    );
  }
  return joinMessages([
    ...(shape.length === 0 ? [] : [delimitedField(1, joinMessages(shape.map((d) => rawBytes(encodeVarint(d)))))]),
    integerField(2, elementTypeOf[dtype]),
    delimitedField(8, name),
    ...(data === undefined ? encodeExternal(byteLength) : [delimitedField(9, bytesOfData(data))]),
  ]);
}

function encodeExternal(byteLength: number): Message[] {
  const entry = (key: string, value: string): Message =>
    delimitedField(13, joinMessages([delimitedField(1, key), delimitedField(2, value)]));
  return [entry("location", externalLocation), entry("offset", "0"), entry("length", String(byteLength)), integerField(14, 1)];
}

function bytesOfData(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function encodeValue({ name, dtype, shape }: OnnxValue): Message {
  const dimensions = joinMessages(shape.map((d) => delimitedField(1, integerField(1, d))));
  const tensorType = joinMessages([integerField(1, elementTypeOf[dtype]), delimitedField(2, dimensions)]);
  return joinMessages([delimitedField(1, name), delimitedField(2, delimitedField(1, tensorType))]);
}
