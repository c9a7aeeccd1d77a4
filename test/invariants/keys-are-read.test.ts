/** A key that a schema accepts and nobody reads would be a promise without a deed. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { configSchemas, type Method } from "../../src/trainers/configs.ts";

const src = fileURLToPath(new URL("../../src/", import.meta.url));
const code = ["trainers", "self-play", "recipes", "cli", "data"]
  .flatMap((folder) => readdirSync(join(src, folder), { recursive: true, encoding: "utf8" }).map((name) => join(src, folder, name)))
  .filter((path) => path.endsWith(".ts") && !/\.test\.ts$|-config\.ts$|training-arguments\.ts$|compatible-keys\.ts$/.test(path))
  .map((path) => readFileSync(path, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1"))
  .join("\n");

/** Accepted for TRL's sake, and said to mean nothing in their own help. */
const meaningless = new Set(["dtype", "disable_dropout"]);
/** Trackers are given the whole config; tracking/report-to.ts reads these. */
const shown = new Set(["run_name", "project", "trackio_space_id", "logging_dir"]);

test.each(Object.keys(configSchemas) as Method[])("%s", (method) => {
  const keys = Object.keys(configSchemas[method].shape);
  expect(keys.length).toBeGreaterThan(30);
  // `config.key`, or taken apart: `{ key }`, `key: name`.
  const isRead = (key: string): boolean => new RegExp(`\\.${key}\\b|[{,]\\s*${key}\\b`).test(code);
  expect(keys.filter((key) => !meaningless.has(key) && !shown.has(key) && !isRead(key))).toEqual([]);
});
