import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireRunLock, lockFileName } from "./run-lock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const writeLock = (owner: unknown): void =>
  writeFileSync(join(folder, lockFileName), typeof owner === "string" ? owner : JSON.stringify(owner));

test("one holder; free again after release; nothing is left", () => {
  const lock = acquireRunLock(folder);
  expect(() => acquireRunLock(folder)).toThrow(`${folder} is in use: process ${process.pid} runs in it`);
  lock.release();
  acquireRunLock(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a dead owner's lock, a reused process id and a damaged lock are taken over", () => {
  const { pid } = spawnSync(process.execPath, ["-e", "0"]);
  for (const stale of [{ pid, host: hostname(), born: null }, "not json", ""]) {
    writeLock(stale);
    const lock = acquireRunLock(folder);
    expect(JSON.parse(readFileSync(join(folder, lockFileName), "utf8"))).toMatchObject({ pid: process.pid });
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

test.runIf(process.platform === "linux")("a living process that was born at another time is not the owner", () => {
  writeLock({ pid: process.pid, host: hostname(), born: "1" });
  acquireRunLock(folder).release();
});

test("an owner on another machine cannot be judged and keeps its lock", () => {
  writeLock({ pid: 1, host: "elsewhere.example", born: null });
  expect(() => acquireRunLock(folder)).toThrow("on elsewhere.example");
  expect(readdirSync(folder)).toEqual([lockFileName]);
});

test("release leaves a lock that is not its own", () => {
  const lock = acquireRunLock(folder);
  writeLock({ pid: 1, host: "elsewhere.example", born: null });
  lock.release();
  expect(readdirSync(folder)).toEqual([lockFileName]);
});
