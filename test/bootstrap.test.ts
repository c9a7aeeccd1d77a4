/** scripts/bootstrap.mjs: what a fresh clone is told when its machine will not do. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
// @ts-expect-error plain JavaScript, because it runs before TypeScript is installed
import * as bootstrap from "../scripts/bootstrap.mjs";
// @ts-expect-error as above
import { checkReport } from "../scripts/check-quickstart.mjs";
import { root } from "./markdown-commands.ts";

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
};

describe("the machine", () => {
  test("platforms that the library serves pass, others are named", () => {
    for (const target of ["linux/x64", "linux/arm64", "darwin/arm64", "win32/x64", "win32/arm64"]) {
      const [platform, arch] = target.split("/");
      expect(codeOf(() => bootstrap.checkPlatform({ platform, arch, musl: false }))).toBe("none");
    }
    expect(codeOf(() => bootstrap.checkPlatform({ platform: "darwin", arch: "x64", musl: false }))).toBe("setup/unsupported-platform");
    expect(codeOf(() => bootstrap.checkPlatform({ platform: "linux", arch: "ia32", musl: false }))).toBe("setup/unsupported-platform");
    expect(codeOf(() => bootstrap.checkPlatform({ platform: "linux", arch: "x64", musl: true }))).toBe("setup/unsupported-platform");
  });

  test("an old Node gets a sentence and exit code 1, before anything is installed", () => {
    for (const script of ["quickstart", "test", "build"]) {
      const fake = "data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'18.20.4'}})";
      const { status, stderr } = spawnSync(process.execPath, ["--import", fake, join(root, `scripts/${script}.mjs`)], {
        encoding: "utf8",
      });
      expect(status).toBe(1);
      expect(stderr).toContain("setup/node-too-old: spar needs Node 20.19 or newer, and this is 18.20.4");
    }
  });
});

describe("packages", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "spar-bootstrap-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const write = (path: string, content: unknown): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
  };
  const wanted = {
    "": {},
    "node_modules/a": { version: "1.0.0" },
    "node_modules/a/node_modules/b": { version: "2.0.0" },
    "node_modules/mac-only": { version: "1.0.0", optional: true },
  };

  test("what the lock file wants and node_modules lacks", () => {
    write("package-lock.json", { packages: wanted });
    expect(bootstrap.listMissingPackages(folder)).toEqual(["a@1.0.0", "b@2.0.0"]);
    mkdirSync(join(folder, "node_modules/a/node_modules/b"), { recursive: true });
    expect(bootstrap.listMissingPackages(folder)).toEqual(["a@1.0.0", "b@2.0.0"]);
    const installed = {
      "node_modules/a": wanted["node_modules/a"],
      "node_modules/a/node_modules/b": { version: "1.9.0" },
    };
    write("node_modules/.package-lock.json", { packages: installed });
    expect(bootstrap.listMissingPackages(folder)).toEqual(["b@2.0.0"]);
    write("node_modules/.package-lock.json", { packages: wanted });
    expect(bootstrap.listMissingPackages(folder)).toEqual([]);
  });

  test("this clone lacks nothing, so nothing is done twice", () => {
    expect(bootstrap.listMissingPackages(root)).toEqual([]);
  });

  test("a missing or damaged lock file", () => {
    expect(codeOf(() => bootstrap.listMissingPackages(folder))).toBe("setup/no-lockfile");
    write("package-lock.json", "{");
    expect(codeOf(() => bootstrap.listMissingPackages(folder))).toBe("setup/no-lockfile");
  });

  test("a missing library, and koffi without its compiled part", () => {
    const machine = { platform: "linux", arch: "x64" };
    expect(codeOf(() => bootstrap.checkNativeParts(folder, machine))).toBe("setup/missing-library");
    write("node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1", "");
    expect(codeOf(() => bootstrap.checkNativeParts(folder, machine))).toBe("setup/install-scripts-blocked");
    write("node_modules/@koromix/koffi-linux-x64/package.json", {});
    expect(codeOf(() => bootstrap.checkNativeParts(folder, machine))).toBe("none");
  });

  test("what npm says is understood", () => {
    const codes = (output: string): string => bootstrap.explainNpm(1, output).code;
    expect(codes("npm error code ENOTFOUND\nnpm error network request to … failed")).toBe("setup/network");
    expect(codes("npm error code ENOSPC\nnpm error nospc no space left on device")).toBe("setup/disk-full");
    expect(codes("npm error code EACCES")).toBe("setup/not-writable");
    expect(codes("npm error code EUSAGE\nnpm error … in sync")).toBe("setup/lockfile");
    expect(codes("npm error code E404")).toBe("setup/package-missing");
    expect(codes("spawn npm ENOENT")).toBe("setup/npm-missing");
    expect(codes("npm error something else")).toBe("setup/npm-failed");
    expect(bootstrap.explainNpm(1, "npm warn old\nnpm error\nnpm error code EWHAT").message).toBe(
      "npm ci ended with 1:\nnpm error code EWHAT",
    );
  });

  test("the hash of the sources changes with a source, not with a test", () => {
    for (const name of ["package-lock.json", "tsconfig.json", "tsconfig.build.json"]) write(name, "{}");
    write("src/a/b.ts", "1");
    const first = bootstrap.hashSources(folder);
    write("src/a/b.test.ts", "2");
    expect(bootstrap.hashSources(folder)).toBe(first);
    write("src/a/b.ts", "3");
    expect(bootstrap.hashSources(folder)).not.toBe(first);
  });
});

describe("the bars of the quickstart", () => {
  const side = {
    mean_score: 0,
    outside_positive_share: 0.4,
    outside_interval: [0.3, 0.5],
    perplexity: 20,
    mean_length: 24,
    distinct_2: 0.8,
  };
  const good = {
    path: "rlhf",
    seed: 3,
    seconds: 100,
    stages: [{ name: "ppo", seconds: 100 }],
    reward_model: { train_pairs: 900, heldout_pairs: 100, heldout_accuracy: 0.8 },
    before: side,
    after: { ...side, outside_positive_share: 0.7, perplexity: 25, kl: 4 },
    samples: [{ prompt: "a", before: "b", after: "c" }],
  };
  const missed = (report: object, seed = 3): string[] =>
    (checkReport(report, { seed }) as [string, boolean][]).filter(([, holds]) => !holds).map(([what]) => what);

  test("a good report meets all", () => expect(missed(good)).toEqual([]));

  test("each bar can be missed", () => {
    expect(missed({ ...good, after: { ...good.after, outside_positive_share: 0.6 } })).toEqual([
      "outside positive share up by 0.25 or more",
    ]);
    expect(missed({ ...good, after: { ...good.after, perplexity: 31 } })).toEqual(["perplexity at most 1.5 times the base model's"]);
    expect(missed({ ...good, seconds: 181, stages: [{ name: "a", seconds: 181 }] })).toEqual(["under 180 seconds of work"]);
    expect(missed({ ...good, stages: [] })).toEqual(["seconds are the sum of the stages"]);
    expect(missed(good, 4)).toEqual(["the seed is the one asked for"]);
    expect(missed({}).length).toBeGreaterThan(7);
  });
});

test(".ci/run calls what package.json offers", () => {
  const script = readFileSync(join(root, ".ci/run"), "utf8");
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const called = [...script.matchAll(/npm run (\S+)/g)].map((match) => match[1] ?? "");
  expect(called.length).toBeGreaterThan(5);
  expect(called.filter((name) => !(name in scripts))).toEqual([]);
});
