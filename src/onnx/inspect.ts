/** ONNX bytes as text, to see what was emitted or what a file holds. */
import { readFields, readIntegers } from "./protobuf.ts";

const elementTypes = new Map([
  [1, "float32"],
  [2, "uint8"],
  [3, "int8"],
  [4, "uint16"],
  [5, "int16"],
  [6, "int32"],
  [7, "int64"],
  [8, "string"],
  [9, "bool"],
  [10, "float16"],
  [11, "float64"],
  [12, "uint32"],
  [13, "uint64"],
  [16, "bfloat16"],
]);

/**
 * Readable text of an ONNX model: one line an opset, input, initializer, node and output, in file order.
 * Tensor values are shown where there are at most eight. Throws `onnx/malformed` on bytes that are not protobuf.
 */
export function inspectModel(bytes: Uint8Array): string {
  const model = collect(bytes);
  const lines = [`model ir_version ${integer(model, 1)} producer ${string(model, 2)}`];
  for (const opset of messages(model, 8)) lines.push(`opset ${domainName(string(opset, 1))} ${integer(opset, 2)}`);
  for (const graph of messages(model, 7)) {
    for (const value of messages(graph, 11)) lines.push(`input ${formatValue(value)}`);
    for (const tensor of messages(graph, 5)) lines.push(`initializer ${formatTensor(tensor)}`);
    for (const node of messages(graph, 1)) lines.push(formatNode(node));
    for (const value of messages(graph, 12)) lines.push(`output ${formatValue(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

type Fields = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>;

function collect(bytes: Uint8Array): Fields {
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  for (const { field, value } of readFields(bytes)) {
    const known = fields.get(field);
    if (known === undefined) fields.set(field, [value]);
    else known.push(value);
  }
  return fields;
}

function bytesFields(fields: Fields, field: number): Uint8Array[] {
  return (fields.get(field) ?? []).filter((value) => value instanceof Uint8Array);
}

function messages(fields: Fields, field: number): Fields[] {
  return bytesFields(fields, field).map(collect);
}

function strings(fields: Fields, field: number): string[] {
  return bytesFields(fields, field).map((bytes) => new TextDecoder().decode(bytes));
}

function string(fields: Fields, field: number): string {
  return strings(fields, field)[0] ?? "";
}

function integers(fields: Fields, field: number): number[] {
  return (fields.get(field) ?? []).flatMap(readIntegers).map((value) => Number(BigInt.asIntN(64, value)));
}

function integer(fields: Fields, field: number): number {
  return integers(fields, field)[0] ?? 0;
}

function floats(fields: Fields, field: number): number[] {
  return bytesFields(fields, field).flatMap((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => shortFloat(view.getFloat32(i * 4, true)));
  });
}

/** Seven digits tell float32 values apart for a reader. */
function shortFloat(value: number): number {
  return Number(value.toPrecision(7));
}

function domainName(domain: string): string {
  return domain === "" ? "ai.onnx" : domain;
}

function formatType(elementType: number, shape: readonly (number | string)[]): string {
  return `${elementTypes.get(elementType) ?? `type ${elementType}`}[${shape.join(", ")}]`;
}

function formatValue(value: Fields): string {
  const tensorType = messages(value, 2).flatMap((type) => messages(type, 1))[0];
  if (tensorType === undefined) return `${string(value, 1)}: not a tensor`;
  const dimensions = messages(tensorType, 2).flatMap((shape) => messages(shape, 1));
  return `${string(value, 1)}: ${formatType(
    integer(tensorType, 1),
    dimensions.map((d) => string(d, 2) || integer(d, 1)),
  )}`;
}

function formatTensor(tensor: Fields): string {
  const shape = integers(tensor, 1);
  const head = `${string(tensor, 8)}: ${formatType(integer(tensor, 2), shape)}`;
  if (integer(tensor, 14) === 1) {
    const entries = new Map(messages(tensor, 13).map((entry) => [string(entry, 1), string(entry, 2)]));
    return `${head} external ${entries.get("location") ?? ""}`;
  }
  const raw = bytesFields(tensor, 9)[0];
  if (raw === undefined || shape.reduce((product, d) => product * d, 1) > 8) return head;
  const values = rawValues(integer(tensor, 2), raw);
  return values === undefined ? head : `${head} = ${values.join(", ")}`;
}

function rawValues(elementType: number, raw: Uint8Array): (number | bigint)[] | undefined {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const read = (size: number, at: (offset: number) => number | bigint): (number | bigint)[] =>
    Array.from({ length: Math.floor(raw.length / size) }, (_, i) => at(i * size));
  if (elementType === 1) return read(4, (offset) => shortFloat(view.getFloat32(offset, true)));
  if (elementType === 6) return read(4, (offset) => view.getInt32(offset, true));
  if (elementType === 7) return read(8, (offset) => view.getBigInt64(offset, true));
  if (elementType === 2 || elementType === 9) return read(1, (offset) => view.getUint8(offset));
  return undefined;
}

function formatNode(node: Fields): string {
  const domain = string(node, 7);
  const op = domain === "" ? string(node, 4) : `${domain}.${string(node, 4)}`;
  const attributes = messages(node, 5).map((attribute) => `${string(attribute, 1)}=${formatAttribute(attribute)}`);
  const suffix = attributes.length === 0 ? "" : ` {${attributes.join(", ")}}`;
  return `${strings(node, 2).join(", ")} = ${op}(${strings(node, 1).join(", ")})${suffix}`;
}

function formatAttribute(attribute: Fields): string {
  const type = integer(attribute, 20);
  if (type === 1) return String(floats(attribute, 2)[0]);
  if (type === 2) return String(integer(attribute, 3));
  if (type === 3) return JSON.stringify(string(attribute, 4));
  if (type === 6) return `[${floats(attribute, 7).join(", ")}] floats`;
  if (type === 7) return `[${integers(attribute, 8).join(", ")}]`;
  return `(attribute type ${type})`;
}
