import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { describeHost, findLibrary, type Host } from "./device.ts";
import { loadOrtApi } from "./ort-api.ts";

const host = (changes: Partial<Host>): Host => ({
  platform: "linux",
  arch: "x64",
  glibcVersion: "2.36",
  packageFolder: () => "/package",
  exists: () => true,
  ...changes,
});
const caught = (body: () => unknown): unknown => {
  try {
    return body();
  } catch (error) {
    return error;
  }
};

describe("finding the library", () => {
  test("on this machine it is there", () => {
    expect(existsSync(findLibrary())).toBe(true);
    if (process.platform === "linux") expect(describeHost().glibcVersion).toMatch(/^2\.\d+$/);
  });

  test.each([
    ["linux", "x64", "libonnxruntime.so.1"],
    ["linux", "arm64", "libonnxruntime.so.1"],
    ["darwin", "arm64", "libonnxruntime.1.dylib"],
    ["win32", "x64", "onnxruntime.dll"],
    ["win32", "arm64", "onnxruntime.dll"],
  ])("%s %s", (platform, arch, file) => {
    expect(findLibrary(undefined, host({ platform, arch }))).toBe(path.join("/package", "bin", "napi-v6", platform, arch, file));
  });

  test.each<[string, Partial<Host>, string, string]>([
    ["Intel Macs", { platform: "darwin" }, "runtime/unsupported-platform", "got darwin-x64"],
    [
      "FreeBSD",
      { platform: "freebsd" },
      "runtime/unsupported-platform",
      "expected one of linux-x64, linux-arm64, darwin-arm64, win32-x64, win32-arm64, got freebsd-x64",
    ],
    ["32-bit ARM", { arch: "arm" }, "runtime/unsupported-platform", "got linux-arm"],
    ["musl", { glibcVersion: undefined }, "runtime/unsupported-platform", "musl"],
    ["an old glibc", { glibcVersion: "2.27" }, "runtime/glibc-too-old", "expected glibc 2.28 or newer, got 2.27"],
    ["no package", { packageFolder: () => undefined }, "runtime/missing-package", "onnxruntime-node"],
    ["a package without the library", { exists: () => false }, "runtime/missing-library", "/package"],
  ])("%s: one error with a hint", (_case, changes, code, message) => {
    expect(caught(() => findLibrary(undefined, host(changes)))).toMatchObject({
      code,
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });

  test("a library of one's own: used wherever it is, missing is an error", () => {
    expect(findLibrary("/mine.so", host({ glibcVersion: undefined }))).toBe("/mine.so");
    expect(caught(() => findLibrary("/mine.so", host({ exists: () => false })))).toMatchObject({
      code: "runtime/missing-library",
      message: expect.stringContaining("/mine.so"),
    });
  });
});

describe("loading it", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "spar-device-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("the real one", () => {
    const api = loadOrtApi(findLibrary());
    expect(api.version).toMatch(/^1\.\d+\.\d+$/);
    expect(loadOrtApi(findLibrary())).toBe(api);
  });

  test("a file that is no library", () => {
    const file = path.join(folder, "text.so");
    writeFileSync(file, "not a library");
    expect(caught(() => loadOrtApi(file))).toMatchObject({
      code: "runtime/unloadable-library",
      message: expect.stringContaining(file),
      hint: expect.any(String),
    });
  });

  test.runIf(process.platform === "linux")("a library that is not ONNX Runtime", () => {
    expect(caught(() => loadOrtApi("libm.so.6"))).toMatchObject({
      code: "runtime/wrong-library",
      message: expect.stringContaining("without OrtGetApiBase"),
    });
  });

  test("an older ONNX Runtime, and one whose table is missing", () => {
    const fake = (version: string): Parameters<typeof loadOrtApi>[1] => {
      const koffi = {
        load: () => ({ func: () => () => 8n }),
        proto: (result: string) => result,
        decode: (_pointer: bigint, ...rest: unknown[]) =>
          rest[0] === "const char *" ? () => version : rest[0] === "void *" ? () => null : 16n,
      };
      return () => koffi as never;
    };
    expect(caught(() => loadOrtApi("/old.so", fake("1.17.3")))).toMatchObject({
      code: "runtime/wrong-library",
      message: "loadOrtApi: expected ONNX Runtime 1.24 or later at /old.so, got ONNX Runtime 1.17.3",
    });
    expect(caught(() => loadOrtApi("/empty.so", fake("1.30.0")))).toMatchObject({ code: "runtime/wrong-library" });
  });

  test("koffi without its binary", () => {
    const loadKoffi = (): never => {
      throw new Error("Cannot find the native Koffi module; did you bundle it correctly?");
    };
    expect(caught(() => loadOrtApi("/any.so", loadKoffi))).toMatchObject({
      code: "runtime/missing-koffi",
      message: expect.stringContaining("Cannot find the native"),
      hint: expect.stringContaining("install script"),
    });
  });
});
