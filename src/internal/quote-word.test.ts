import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quoteWord } from "./quote-word.ts";
import { showPath } from "./show-path.ts";

test.skipIf(process.platform === "win32")("a shell gives every word back as it was", () => {
  const words = ["runs/a.jsonl", "two words", "it's", '"$HOME"', "`id`", "a;b", "*", ""];
  const printed = execFileSync("sh", ["-c", `printf '%s\\n' ${words.map(quoteWord).join(" ")}`], { encoding: "utf8" });
  expect(printed).toBe(words.map((word) => `${word}\n`).join(""));
  expect(quoteWord("runs/a.jsonl")).toBe("runs/a.jsonl");
});

test("a path is named from the current folder where it lies below", () => {
  expect(showPath(join(process.cwd(), "runs", "pairs.jsonl"))).toBe(join("runs", "pairs.jsonl"));
  expect(showPath(join(process.cwd(), "..", "pairs.jsonl"))).toBe(join(process.cwd(), "..", "pairs.jsonl"));
});
