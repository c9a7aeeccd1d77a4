/** A guess of a JSON-like value's size in memory: good enough to decide when to go to disk. */
export function estimateBytes(value: unknown): number {
  if (typeof value === "string") return 2 * value.length + 16;
  if (typeof value !== "object" || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength + 64;
  let bytes = 32;
  if (Array.isArray(value)) for (const item of value) bytes += estimateBytes(item);
  else for (const key in value) bytes += 16 + estimateBytes((value as { [key: string]: unknown })[key]);
  return bytes;
}
