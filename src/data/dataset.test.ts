import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { SparError } from "../internal/errors.ts";
import { loadDataset, type LoadDatasetOptions } from "./dataset.ts";
import type { DatasetSpec } from "./dataset-spec.ts";

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "spar-data-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(dir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function readRows(spec: DatasetSpec, options: LoadDatasetOptions = {}): Promise<unknown[]> {
  const dataset = await loadDataset(spec, { baseDir: dir, ...options });
  const rows = [];
  for (let i = 0; i < dataset.count; i++) rows.push(await dataset.read(i));
  await dataset.close();
  return rows;
}

async function catchError(spec: DatasetSpec): Promise<SparError> {
  try {
    await readRows(spec);
  } catch (error) {
    if (error instanceof SparError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const ROWS = [
  { prompt: "a, b", completion: 'say "hi"\nthere', n: 1 },
  { prompt: "é 🙂", completion: "x", n: -2 },
];
const CSV = 'prompt,completion,n\n"a, b","say ""hi""\nthere",1\né 🙂,x,-2\n';

describe("loadDataset: formats", () => {
  it("reads JSONL with BOM, CRLF, blank lines and no last newline", async () => {
    write("a.jsonl", `\ufeff${JSON.stringify(ROWS[0])}\r\n\r\n${JSON.stringify(ROWS[1])}`);
    expect(await readRows({ path: "json", data_files: "a.jsonl" })).toEqual(ROWS);
    expect(await readRows({ path: "a.jsonl" })).toEqual(ROWS);
  });

  it("reads JSON arrays, {data: […]}, lists of texts, and lines named .json", async () => {
    write("array.json", JSON.stringify(ROWS, null, 2));
    write("wrapped.json", JSON.stringify({ version: "[1]", nested: { data: [0] }, data: ROWS, after: [1] }, null, 1));
    write("one-line.json", JSON.stringify({ data: ROWS }));
    write("texts.json", '["one", "two [\\"]\\""]');
    write("lines.json", ROWS.map((row) => JSON.stringify(row)).join("\n"));
    for (const name of ["array.json", "wrapped.json", "one-line.json", "lines.json"])
      expect(await readRows({ path: "json", data_files: name })).toEqual(ROWS);
    expect(await readRows({ path: "texts.json" })).toEqual([{ text: "one" }, { text: 'two ["]"' }]);
  });

  it("reads CSV and TSV, each value a string", async () => {
    write("a.csv", CSV);
    write("a.tsv", "prompt\tn\nx, y\t1\n");
    expect(await readRows({ path: "csv", data_files: "a.csv" })).toEqual(ROWS.map((row) => ({ ...row, n: String(row.n) })));
    expect(await readRows({ path: "a.tsv" })).toEqual([{ prompt: "x, y", n: "1" }]);
  });

  it("reads Parquet, 64-bit integers as numbers, nested messages whole", async () => {
    const messages = [[{ role: "user", content: "hi" }], [{ role: "user", content: "you" }]];
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: "n", data: [1n, 9007199254740993n], type: "INT64" },
        { name: "messages", data: messages, type: "JSON" },
      ],
      rowGroupSize: 1,
    });
    write("a.parquet", new Uint8Array(buffer));
    write("a.parquet.gz", gzipSync(new Uint8Array(buffer)));
    const expected = [
      { n: 1, messages: messages[0] },
      { n: "9007199254740993", messages: messages[1] },
    ];
    expect(await readRows({ path: "parquet", data_files: "a.parquet" })).toEqual(expected);
    expect(await readRows({ path: "a.parquet.gz" }, { memoryLimit: 0 })).toEqual(expected);
  });

  it("reads gzip of each text format, several members too", async () => {
    write("a.jsonl.gz", Buffer.concat(ROWS.map((row) => gzipSync(`${JSON.stringify(row)}\n`))));
    write("a.csv.gz", gzipSync(CSV));
    write("array.json.gz", gzipSync(JSON.stringify(ROWS)));
    expect(await readRows({ path: "a.jsonl.gz" })).toEqual(ROWS);
    expect(await readRows({ path: "array.json.gz" })).toEqual(ROWS);
    expect(await readRows({ path: "a.csv.gz" })).toHaveLength(2);
  });

  it("reads texts by line, paragraph and document, and folders in folders", async () => {
    write("texts/neg/1.txt", "bad\r\n\r\nreally bad\nindeed\n");
    write("texts/pos/1.txt", "good");
    write("texts/pos/empty.md", "words");
    write("texts/.hidden.txt", "no");
    const file = "texts/neg/1.txt";
    expect(await readRows({ path: "text", data_files: file })).toEqual([{ text: "bad" }, { text: "really bad" }, { text: "indeed" }]);
    expect(await readRows({ path: "text", data_files: file, sample_by: "paragraph" })).toEqual([
      { text: "bad" },
      { text: "really bad\nindeed" },
    ]);
    expect(await readRows({ path: "folder", data_files: "texts" })).toEqual([
      { text: "bad\r\n\r\nreally bad\nindeed\n" },
      { text: "good" },
      { text: "words" },
    ]);
    expect(await readRows({ path: "text", data_files: "texts/**/1.{txt,md}" })).toHaveLength(4);
    expect(await readRows({ path: "text", data_files: ["texts/pos/1.txt", "texts/pos/e*.md"] })).toEqual([
      { text: "good" },
      { text: "words" },
    ]);
  });
});

describe("loadDataset: splits and columns", () => {
  it("takes splits from mappings, folders' names and ranges", async () => {
    write("splits/train.jsonl", '{"text":"a"}\n{"text":"b"}\n{"text":"c"}\n{"text":"d"}');
    write("splits/test.jsonl", '{"text":"t"}');
    expect(await readRows({ path: "json", data_files: { train: "splits/train.jsonl", test: "splits/test.jsonl" }, split: "test" })).toEqual(
      [{ text: "t" }],
    );
    expect(await readRows({ path: "splits", split: "test" })).toEqual([{ text: "t" }]);
    expect(await readRows({ path: "splits", split: "train[1:50%]" })).toEqual([{ text: "b" }]);
    expect(await readRows({ path: "splits", split: "train[-1:]" })).toEqual([{ text: "d" }]);
    expect((await catchError({ path: "splits", split: "validation" })).hint).toMatch(/it has test, train|it has train, test/);
    expect((await catchError({ path: "splits", split: "train[oops]" })).code).toBe("data/bad-split");
  });

  it("keeps and renames columns, and names those that are not there", async () => {
    write("cols.jsonl", '{"question":"q","answer":"a","x":1}');
    expect(await readRows({ path: "cols.jsonl", columns: ["answer"] })).toEqual([{ answer: "a" }]);
    expect(await readRows({ path: "cols.jsonl", columns: { question: "prompt" } })).toEqual([{ prompt: "q" }]);
    const error = await catchError({ path: "cols.jsonl", columns: ["prompt"] });
    expect([error.message, error.hint]).toEqual([expect.stringContaining("prompt"), "found question, answer, x"]);
  });

  it("names tasks apart", async () => {
    write("t/a.jsonl", '{"text":"1"}');
    write("u/a.jsonl", '{"text":"2"}');
    const dataset = await loadDataset([{ path: "t/a.jsonl" }, { path: "u/a.jsonl" }, { path: "t/a.jsonl", task: "mine" }], {
      baseDir: dir,
    });
    expect(dataset.tasks).toEqual(["a", "a-2", "mine"]);
  });
});

describe("loadDataset: errors", () => {
  it("collects all bad rows of a file with their lines", async () => {
    write("bad.jsonl", ['{"a":1}', "{oops", "[1]", '{"a":2}', "", "3"].join("\n"));
    const error = await catchError({ path: "bad.jsonl" });
    expect(error.code).toBe("data/bad-rows");
    expect(error.message).toMatch(/3 of 5 rows cannot be used/);
    expect(error.message).toMatch(/bad\.jsonl:2: .*JSON/);
    expect(error.message).toMatch(/bad\.jsonl:3: expected a JSON object, found an array/);
    expect(error.message).toMatch(/bad\.jsonl:6: expected a JSON object, found a number/);
    write("many.jsonl", "x\n".repeat(12));
    expect((await catchError({ path: "many.jsonl" })).message).toMatch(/… and 7 more$/);
  });

  it("gives the line of a bad element in a JSON array, and says where a cut file ends", async () => {
    write("bad.json", '[\n {"a": 1},\n {"a": tru},\n 7\n]');
    const error = await catchError({ path: "bad.json" });
    expect(error.message).toMatch(/bad\.json:3: /);
    expect(error.message).toMatch(/bad\.json:4: expected a JSON object, found a number/);
    write("cut.json", '[\n {"a": 1},\n {"a": "x');
    expect((await catchError({ path: "cut.json" })).message).toMatch(/cut\.json:3: the file ends inside the row that starts on line 3/);
    write("object.json", '{\n "rows": [{}]\n}');
    expect((await catchError({ path: "object.json" })).message).toMatch(/keys rows and no array under "data"/);
    write("comma.json", "[{},]");
    expect((await catchError({ path: "comma.json" })).message).toMatch(/where a row should be/);
    write("more.json", "[{}] []");
    expect((await catchError({ path: "more.json" })).message).toMatch(/after the end/);
  });

  it("gives the line of a CSV row with too many or too few values", async () => {
    write("bad.csv", "a,b\n1,2\n1,2,3\n4\n");
    const error = await catchError({ path: "bad.csv" });
    expect(error.message).toMatch(/2 of 3 rows cannot be used/);
    expect(error.message).toMatch(/bad\.csv:3: expected 2 values \(a, b\), found 3/);
    write("semicolons.csv", "prompt;completion\na, b;c\n");
    expect(await catchError({ path: "semicolons.csv" })).toMatchObject({
      code: "data/bad-csv",
      message: expect.stringContaining('semicolons.csv:1: expected column names, found one column "prompt;completion"'),
      hint: expect.stringContaining("separated by commas"),
    });
    write("twice.csv", "a,a\n1,2\n");
    expect((await catchError({ path: "twice.csv" })).message).toMatch(/"a" is there twice/);
  });

  it.each(["e.jsonl", "e.json", "e.csv", "e.txt", "e.jsonl.gz"])("says empty for an empty %s", async (name) => {
    write(name, name.endsWith(".gz") ? gzipSync("\n") : name === "e.csv" ? "a,b\n" : name === "e.json" ? "[]" : "\n");
    const error = await catchError({ path: name });
    expect([error.code, error.message]).toEqual(["data/empty", expect.stringContaining("empty")]);
  });

  it("explains missing files, globs, formats and broken archives", async () => {
    expect((await catchError({ path: "json", data_files: "nope.jsonl" })).message).toMatch(/nope\.jsonl does not exist/);
    expect((await catchError({ path: "json", data_files: "no*.jsonl" })).code).toBe("data/not-found");
    expect((await catchError({ path: "json" })).message).toMatch(/needs data_files/);
    write("what.bin", "x");
    expect((await catchError({ path: "what.bin" })).code).toBe("data/unknown-format");
    write("broken.jsonl.gz", gzipSync('{"a":1}\n'.repeat(1000)).subarray(0, 30));
    expect((await catchError({ path: "broken.jsonl.gz" })).message).toMatch(/not whole gzip/);
    write("fake.parquet", "version https://git-lfs.github.com/spec/v1");
    expect((await catchError({ path: "fake.parquet" })).code).toBe("data/bad-parquet");
    write("latin.jsonl", Buffer.from('{"text":"caf\xe9"}', "latin1"));
    expect((await catchError({ path: "latin.jsonl" })).message).toMatch(/latin\.jsonl:1 is not UTF-8/);
    write("wide.txt", Buffer.from("\ufeffhi\n", "utf16le"));
    expect((await catchError({ path: "wide.txt" })).message).toMatch(/UTF-16/);
  });
});

describe("loadDataset: larger than memory", () => {
  it("reads the same rows at random from disk as from memory, in every format, and leaves nothing behind", async () => {
    const rows = Array.from({ length: 300 }, (_, i) => ({ text: `${i} ${"wörd🙂 ".repeat(i % 7)}\n"q"` }));
    write("big.jsonl", `${rows.map((row) => JSON.stringify(row)).join("\r\n")}\r\n`);
    write("big.json", JSON.stringify(rows, null, 2));
    write("big.jsonl.gz", gzipSync(rows.map((row) => JSON.stringify(row)).join("\n")));
    const tempDir = join(dir, "temp");
    mkdirSync(tempDir);
    for (const path of ["big.jsonl", "big.json", "big.jsonl.gz"]) {
      const dataset = await loadDataset({ path }, { baseDir: dir, memoryLimit: 100, tempDir });
      expect(dataset.count).toBe(300);
      for (let i = 0; i < 300; i++) expect(await dataset.read((i * 101) % 300)).toEqual(rows[(i * 101) % 300]);
      for (let i = 0; i < 300; i++) expect(await dataset.read(i)).toEqual(rows[i]);
      await dataset.close();
      expect(readdirSync(tempDir)).toEqual([]);
    }
    const paragraphs = "one\r\ntwo\r\n\r\n\r\nthree\n";
    write("big.txt", paragraphs);
    for (const memoryLimit of [0, 1e6]) {
      expect(await readRows({ path: "big.txt", sample_by: "paragraph" }, { memoryLimit })).toEqual([
        { text: "one\ntwo" },
        { text: "three" },
      ]);
      expect(await readRows({ path: "big.txt" }, { memoryLimit })).toEqual([{ text: "one" }, { text: "two" }, { text: "three" }]);
    }
  });

  it("joins rows that reach over several reads", async () => {
    const rows = ["a", "é🙂", "c"].map((word) => ({ text: word.repeat(200_000) }));
    write("long.json", JSON.stringify(rows, null, 2));
    write("long.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
    for (const memoryLimit of [0, 1e9]) {
      expect(await readRows({ path: "long.json" }, { memoryLimit })).toEqual(rows);
      expect(await readRows({ path: "long.jsonl" }, { memoryLimit })).toEqual(rows);
    }
  });

  it("indexes any JSON array as JSON.parse reads it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 3 }),
        async (rows, indent) => {
          write("any.json", JSON.stringify(rows, null, indent));
          expect(await readRows({ path: "any.json" }, { memoryLimit: 0 })).toEqual(JSON.parse(JSON.stringify(rows)));
        },
      ),
      { numRuns: 50 },
    );
  });
});
