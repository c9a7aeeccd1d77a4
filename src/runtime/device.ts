/** Where the ONNX Runtime library of this machine is, or the one reason why there is none. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { SparError } from "../internal/errors.ts";

/** What has to be known about a machine; a parameter so that every machine can be tested on any. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  /** Linux only: the C library's version, undefined where it is not glibc (Alpine's musl). */
  readonly glibcVersion: string | undefined;
  /** Folder of the installed onnxruntime-node package, undefined where it is not installed. */
  readonly packageFolder: () => string | undefined;
  readonly exists: (file: string) => boolean;
}

/** What onnxruntime-node 1.30 ships. */
const libraryFiles: { readonly [target: string]: string } = {
  "linux-x64": "libonnxruntime.so.1",
  "linux-arm64": "libonnxruntime.so.1",
  "darwin-arm64": "libonnxruntime.1.dylib",
  "win32-x64": "onnxruntime.dll",
  "win32-arm64": "onnxruntime.dll",
};

const oldestGlibc = [2, 28] as const;

/**
 * The path of the library to load: `libraryPath` if given, else the one inside onnxruntime-node.
 * Throws `runtime/missing-library`, `runtime/unsupported-platform`, `runtime/glibc-too-old` or `runtime/missing-package`.
 */
export function findLibrary(libraryPath?: string, host: Host = describeHost()): string {
  if (libraryPath !== undefined) {
    if (host.exists(libraryPath)) return libraryPath;
    throw new SparError("runtime/missing-library", `findLibrary: expected an ONNX Runtime library at ${libraryPath}, got no such file`, {
      hint: "correct libraryPath, or leave it out to use the library inside the onnxruntime-node package",
    });
  }
  checkPlatform(host);
  const target = `${host.platform}-${host.arch}`;
  const folder = host.packageFolder();
  if (folder === undefined) {
    throw new SparError(
      "runtime/missing-package",
      "findLibrary: the package onnxruntime-node, which carries the ONNX Runtime library, is not installed",
      {
        hint: "npm install onnxruntime-node (its install script is not needed)",
      },
    );
  }
  const file = path.join(folder, "bin", "napi-v6", host.platform, host.arch, libraryFiles[target] as string);
  if (!host.exists(file)) {
    throw new SparError("runtime/missing-library", `findLibrary: expected the ONNX Runtime library at ${file}, got no such file`, {
      hint: "the installed onnxruntime-node is incomplete or of another version: rm -rf node_modules/onnxruntime-node && npm install",
    });
  }
  return file;
}

function checkPlatform(host: Host): void {
  const target = `${host.platform}-${host.arch}`;
  const supported = Object.keys(libraryFiles).join(", ");
  if (libraryFiles[target] === undefined) {
    const hint =
      target === "darwin-x64"
        ? "ONNX Runtime no longer exists for Intel Macs: use a Mac with Apple silicon, or Linux in a container or virtual machine"
        : "run spar on one of these platforms, or give a library that you built as libraryPath";
    throw new SparError("runtime/unsupported-platform", `findLibrary: expected one of ${supported}, got ${target}`, { hint });
  }
  if (host.platform !== "linux") return;
  if (host.glibcVersion === undefined) {
    throw new SparError(
      "runtime/unsupported-platform",
      "findLibrary: expected Linux with glibc, got another C library (musl, as on Alpine)",
      {
        hint: "use a glibc distribution such as Debian (node:22-slim), or give a musl build of ONNX Runtime as libraryPath",
      },
    );
  }
  const [major, minor] = host.glibcVersion.split(".").map(Number) as [number, number];
  if (major < oldestGlibc[0] || (major === oldestGlibc[0] && minor < oldestGlibc[1])) {
    throw new SparError(
      "runtime/glibc-too-old",
      `findLibrary: expected glibc ${oldestGlibc.join(".")} or newer, got ${host.glibcVersion}`,
      {
        hint: "use a newer Linux distribution (Debian 10, Ubuntu 20.04, RHEL 8 or later)",
      },
    );
  }
}

/** This machine. */
export function describeHost(): Host {
  return {
    platform: process.platform,
    arch: process.arch,
    glibcVersion: process.platform === "linux" ? readGlibcVersion() : undefined,
    packageFolder: () => findPackageFolder("onnxruntime-node"),
    exists: existsSync,
  };
}

function readGlibcVersion(): string | undefined {
  // Without this, a report looks up the host names of every open socket.
  const before = (process.report as { excludeNetwork?: boolean }).excludeNetwork;
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = before ?? false;
  return report.header?.glibcVersionRuntime;
}

function findPackageFolder(name: string): string | undefined {
  try {
    return path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
