import { expect, test } from "vitest";
import { createRecordStore, type RecordCodec } from "./record-store.ts";

/** Packs into memory that it uses again, as a codec may. */
function createCodec(): RecordCodec<number[]> {
  const words = new Int32Array(200_000);
  return {
    pack(record) {
      words.set(record);
      return words.subarray(0, record.length);
    },
    unpack: (packed) => Array.from(packed),
  };
}

const makeRecord = (length: number, seed: number): number[] => Array.from({ length }, (_, i) => (seed * 7919 + i) | 0);

// Pages have 65,536 words: records that fill one to its end, that do not fit its rest, that are longer than one, and empty ones.
const lengths = [3, 0, 65_533, 1, 65_535, 2, 150_000, 1, 0, 65_536, 60_000, 60_000, 5];

test.each([
  ["in memory", Infinity],
  ["in a file from the first on", 0],
  ["in memory, then in a file", 1_000_000],
])("records come back as they were put in: %s", async (_, limit) => {
  const records = lengths.map(makeRecord);
  const store = createRecordStore(createCodec(), "records", { limit });
  for (const record of records) await store.add(record);
  const rows = await store.finish();
  expect(rows.count).toBe(records.length);
  for (const index of [...records.keys()].toReversed()) expect(await rows.read(index)).toEqual(records[index]);
  await rows.close();
});
