import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findFreeFolder } from "./free-folder.ts";

const parent = mkdtempSync(join(tmpdir(), "spar-free-folder-"));
afterAll(() => rmSync(parent, { recursive: true }));

test("the name itself, then numbers; what is empty is free, what holds something is not", () => {
  const folder = (name: string): string => join(parent, name);
  const fill = (name: string): void => {
    mkdirSync(folder(name), { recursive: true });
    writeFileSync(join(folder(name), "run.json"), "{}");
  };
  expect(findFreeFolder("quickstart", folder("not-there"))).toBe(join(folder("not-there"), "quickstart"));
  expect(findFreeFolder("quickstart", parent)).toBe(folder("quickstart"));
  mkdirSync(folder("quickstart"));
  expect(findFreeFolder("quickstart", parent)).toBe(folder("quickstart"));
  fill("quickstart");
  expect(findFreeFolder("quickstart", parent)).toBe(folder("quickstart-2"));
  fill("quickstart-2");
  fill("quickstart-4");
  // The first gap, not what follows the last.
  expect(findFreeFolder("quickstart", parent)).toBe(folder("quickstart-3"));
  expect(findFreeFolder("eval", parent)).toBe(folder("eval"));
});
