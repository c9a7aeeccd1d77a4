import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { describeKeys, renderKeysDocument } from "./describe-keys.ts";

const path = fileURLToPath(new URL("../../docs/recipe-keys.md", import.meta.url));

test("docs/recipe-keys.md is what the schemas say (SPAR_UPDATE_DOCS=1 rewrites it)", async () => {
  const text = await renderKeysDocument();
  if (process.env["SPAR_UPDATE_DOCS"] === "1") {
    mkdirSync(fileURLToPath(new URL("../../docs", import.meta.url)), { recursive: true });
    writeFileSync(path, text);
  }
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("every key of every method has a meaning, an expectation and a default", async () => {
  for (const method of ["pretrain", "sft", "reward", "ppo", "dpo"] as const) {
    const { configSchemas } = await import("../trainers/configs.ts");
    const keys = await describeKeys(method);
    expect(keys.map((entry) => entry.key)).toEqual(Object.keys(configSchemas[method].shape));
    for (const entry of keys) {
      expect(entry.description, entry.key).toMatch(/\.$/);
      expect(entry.expects.length, entry.key).toBeGreaterThan(3);
      expect(entry.default, entry.key).toBeTypeOf("string");
    }
  }
});
