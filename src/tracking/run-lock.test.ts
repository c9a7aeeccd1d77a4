import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  const listeners = process.listeners("exit");
  acquireRunLock(folder);
  // A process that ends at once gives the folder back, too.
  for (const listener of process.listeners("exit")) if (!listeners.includes(listener)) listener(1);
  expect(readdirSync(folder)).toEqual([]);
  expect(process.listeners("exit")).toEqual(listeners);
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

test("giving back a folder that has become read-only is no error", (context) => {
  const isRoot = process.geteuid?.() === 0;
  if (process.platform === "win32") context.skip();
  // Root may write everywhere: be somebody else for a moment.
  if (isRoot) {
    chownSync(folder, 65534, 65534);
    process.seteuid!(65534);
  }
  try {
    const lock = acquireRunLock(folder);
    chmodSync(folder, 0o555);
    expect(() => rmSync(join(folder, lockFileName))).toThrow("EACCES");
    lock.release();
    chmodSync(folder, 0o755);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    if (isRoot) process.seteuid!(0);
  }
});
