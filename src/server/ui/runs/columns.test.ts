import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openColumns } from "./columns.ts";
import { absent, createRowParser } from "./row-parser.ts";

const parseRows = (text: string) => {
  const parser = createRowParser();
  const bytes = Buffer.from(text);
  parser.parse(bytes, bytes.length);
  return parser;
};

describe("createRowParser", () => {
  test("reads every form of number, to 15 digits", () => {
    const numbers = ["0", "-0.5", "1e3", "1E-7", "-2.5e+10", "0.1", "123456789012345680000", "4.9e-324", "1.7976931348623157e308"];
    const more = [Math.PI, -1 / 3, 1.0048e-8, 2 ** 53, 0.30000000000000004, 5.404e-1, -68.94739797115326].map(String);
    for (const text of [...numbers, ...more]) {
      const value = parseRows(`{"step":1,"x":${text}}\n`).column("x")![0];
      const expected = Number(text);
      expect(Math.abs(value - expected), text).toBeLessThanOrEqual(Math.abs(expected) * 1.2e-15);
    }
    expect(parseRows('{"x":1e999}\n').column("x")![0]).toBeNaN();
  });

  test("keys may come, go and change their order", () => {
    const parser = parseRows('{"step":1,"loss":2}\n{"step":1,"eval_loss":3}\n{ "loss" : 4, "step" : 2 }\r\n{}\n{"step":3,"loss":null}\n');
    expect(parser.rows).toBe(5);
    expect([...parser.column("step")!]).toEqual([1, 1, 2, absent, 3]);
    expect([...parser.column("loss")!]).toEqual([2, absent, 4, absent, NaN]);
    expect([...parser.column("eval_loss")!]).toEqual([absent, 3, absent, absent, absent]);
    expect(parser.describe("loss")).toEqual({ count: 3, last: null });
    expect(parser.describe("eval_loss")).toEqual({ count: 1, last: 3 });
    expect(parser.describe("nothing")).toEqual({ count: 0, last: null });
  });

  test("other values are passed over, times are read", () => {
    const parser = parseRows(
      '{"time":"2026-01-01T00:00:01.000Z","note":"a \\" } , b","deep":{"x":[1,{"y":"}"}]},"ok":true,"no":false,"a\\/b":1,"käse":2}\n',
    );
    expect([...parser.keys].sort()).toEqual(["a/b", "käse", "time"]);
    expect(parser.column("time")![0]).toBe(Date.UTC(2026, 0, 1, 0, 0, 1));
    expect(parser.column("a/b")![0]).toBe(1);
    expect(parser.column("käse")![0]).toBe(2);
  });

  test("broken lines leave no trace", () => {
    const broken = [
      "",
      "nonsense",
      '{"step":7,"loss":',
      '{"step":7',
      '{"step":7} {"step":8}',
      "[1]",
      '{"step":-}x',
      "{step:7}",
      '{"step":7,}',
    ];
    const parser = parseRows(`{"step":1}\n${broken.join("\n")}\n{"step":2}\n`);
    expect(parser.rows).toBe(2);
    expect([...parser.column("step")!]).toEqual([1, 2]);
  });

  test("a word in the place of a number is none", () => {
    expect(parseRows('{"x":1}\n{"x":"two"}\n{"x":[3]}\n').describe("x")).toEqual({ count: 1, last: 1 });
  });

  test("columns grow with the rows", () => {
    const parser = parseRows(Array.from({ length: 5000 }, (_, i) => `{"step":${i}${i === 4000 ? ',"late":1' : ""}}\n`).join(""));
    expect(parser.column("step")![4999]).toBe(4999);
    expect(parser.column("late")!.indexOf(1)).toBe(4000);
    expect(parser.describe("late")).toEqual({ count: 1, last: 1 });
  });
});

describe("openColumns", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "spar-columns-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("reads on where it was, whole lines only", async () => {
    const path = join(folder, "metrics.jsonl");
    const columns = openColumns(path);
    await columns.refresh();
    expect([columns.rows, columns.generation]).toEqual([0, 0]);
    writeFileSync(path, '{"step":1,"loss":3}\n{"step":2,"lo');
    await columns.refresh();
    expect(columns.rows).toBe(1);
    appendFileSync(path, 'ss":2}\n');
    await Promise.all([columns.refresh(), columns.refresh()]);
    expect([...columns.column("loss")!]).toEqual([3, 2]);
    expect(columns.generation).toBe(0);
  });

  test("a file that was cut back, or that is another, is read anew", async () => {
    const path = join(folder, "metrics.jsonl");
    const write = (target: string, steps: readonly number[]): void =>
      writeFileSync(target, steps.map((step) => `{"step":${step},"loss":${step}.5}\n`).join(""));
    write(path, [1, 2, 3, 4]);
    const columns = openColumns(path);
    await columns.refresh();
    truncateSync(path, 44);
    await columns.refresh();
    expect([...columns.column("step")!]).toEqual([1, 2]);
    expect(columns.generation).toBe(1);
    // As a resumed run does it: another file, which grows beyond the old size.
    write(join(folder, "aside"), [1, 2, 9, 10, 11]);
    renameSync(join(folder, "aside"), path);
    await columns.refresh();
    expect([...columns.column("step")!]).toEqual([1, 2, 9, 10, 11]);
    expect(columns.generation).toBe(2);
    // The same file, begun anew and longer than before.
    write(path, [5, 6, 7, 8, 9, 10, 11]);
    await columns.refresh();
    expect([...columns.column("step")!]).toEqual([5, 6, 7, 8, 9, 10, 11]);
    expect(columns.generation).toBe(3);
    rmSync(path);
    await columns.refresh();
    expect([columns.rows, columns.generation]).toEqual([0, 4]);
  });

  test("lines longer than a chunk, and files of several chunks", async () => {
    const path = join(folder, "metrics.jsonl");
    const long = `{"step":1,"note":"${"x".repeat(5 * 2 ** 20)}","loss":7}\n`;
    writeFileSync(path, `{"step":0,"loss":6}\n${long}{"step":2,"loss":8}\n`);
    const columns = openColumns(path);
    await columns.refresh();
    expect([...columns.column("loss")!]).toEqual([6, 7, 8]);
  });
});
