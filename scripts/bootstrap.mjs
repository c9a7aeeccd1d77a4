/**
 * From a bare clone to something that runs: checks the machine, installs, builds. Plain Node, no dependency, because
 * it runs before any is there. Callers check the Node version first (see node-version.mjs), and hand over.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildStamp = join(root, "node_modules/.cache/spar-build.json");
const buildInfo = join(root, "node_modules/.cache/tsbuildinfo.json");
const executable = join(root, "dist/cli/main.js");
const page = join(root, "dist/ui");

/** What the ONNX Runtime package carries: folder of `process.platform`/`process.arch` and the library's file name. */
const libraries = {
  "linux/x64": "libonnxruntime.so.1",
  "linux/arm64": "libonnxruntime.so.1",
  "darwin/arm64": "libonnxruntime.1.dylib",
  "win32/x64": "onnxruntime.dll",
  "win32/arm64": "onnxruntime.dll",
};

/** An expected failure: the message and the hint are for the person, no stack. `code` is listed in docs/errors.md. */
export class SetupError extends Error {
  constructor(code, message, hint) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** Checks the machine, then installs and builds what is missing. Throws SetupError. */
export async function prepare() {
  checkPlatform(describePlatform());
  const missing = listMissingPackages(root);
  if (missing.length > 0) await install(missing);
  checkNativeParts(root, describePlatform());
  const stamp = hashSources(root);
  if (!isBuilt(stamp)) await build(stamp);
}

/** `{platform, arch, musl}` of this machine. */
export function describePlatform() {
  process.report.excludeNetwork = true;
  const report = process.platform === "linux" ? process.report.getReport() : undefined;
  // Node's own report names the C library: glibcVersionRuntime is absent on musl.
  const musl = report !== undefined && report.header?.glibcVersionRuntime === undefined;
  return { platform: process.platform, arch: process.arch, musl };
}

export function checkPlatform({ platform, arch, musl }) {
  if (musl) {
    throw new SetupError(
      "setup/unsupported-platform",
      "This Linux uses the musl C library (Alpine and its kin); ONNX Runtime's library needs glibc 2.28 or newer.",
      "Use a Debian, Ubuntu or Fedora based image, such as node:24-slim instead of node:24-alpine.",
    );
  }
  if (!(`${platform}/${arch}` in libraries)) {
    throw new SetupError(
      "setup/unsupported-platform",
      `ONNX Runtime's package has no library for ${platform}/${arch}; it has them for ${Object.keys(libraries).join(", ")}.`,
      platform === "darwin" ? "Intel Macs are not served by ONNX Runtime any more." : "See docs/platforms.md.",
    );
  }
}

/**
 * Names of packages that package-lock.json wants and node_modules lacks (or has in another version).
 * npm writes node_modules/.package-lock.json last, so an install that was cut off counts as missing.
 */
export function listMissingPackages(folder) {
  const wanted = readJson(join(folder, "package-lock.json"))?.packages;
  if (wanted === undefined) {
    throw new SetupError("setup/no-lockfile", `${folder} has no readable package-lock.json.`, "Clone the repository again.");
  }
  const present = readJson(join(folder, "node_modules/.package-lock.json"))?.packages ?? {};
  return Object.entries(wanted)
    .filter(([path, entry]) => path !== "" && entry.link !== true)
    .filter(([path, entry]) =>
      present[path] === undefined || !existsSync(join(folder, path))
        ? entry.optional !== true && entry.devOptional !== true
        : present[path].version !== entry.version,
    )
    .map(([path, entry]) => `${path.replace(/^.*node_modules\//, "")}@${entry.version}`);
}

/** Throws where npm ended well and left out a library that spar loads. */
export function checkNativeParts(folder, { platform, arch }) {
  const runtime = join(folder, "node_modules/onnxruntime-node/bin/napi-v6", platform, arch, libraries[`${platform}/${arch}`]);
  if (!existsSync(runtime)) {
    throw new SetupError(
      "setup/missing-library",
      `npm installed onnxruntime-node, but its library is not there: expected ${relative(folder, runtime)}.`,
      "Delete node_modules and run this command again; antivirus software or a full disk may have removed the file.",
    );
  }
  const koffi = join(folder, "node_modules/koffi");
  const prebuilt = join(folder, "node_modules/@koromix", `koffi-${platform}-${arch}`);
  if (!existsSync(prebuilt) && !existsSync(join(koffi, "build"))) {
    throw new SetupError(
      "setup/install-scripts-blocked",
      `koffi has no compiled part: npm left out @koromix/koffi-${platform}-${arch} (optional dependencies are off), and its install script did not run.`,
      "Check `npm config get omit` and `npm config get ignore-scripts`, then: npm ci --include=optional",
    );
  }
}

async function install(missing) {
  const names = missing.slice(0, 3).join(", ") + (missing.length > 3 ? ` and ${missing.length - 3} more` : "");
  say(`Installing ${missing.length} npm packages (${names}).`);
  say("About 200 MB to download, 470 MB on disk, most of it ONNX Runtime's library; usually under a minute.");
  const done = startClock("npm ci");
  // No package needs its install script: ONNX Runtime's would fetch CUDA files, koffi ships compiled parts.
  const args = ["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, output } = await runQuietly(...npmCommand(args), { ONNXRUNTIME_NODE_INSTALL: "skip" });
  done();
  if (status !== 0) throw explainNpm(status, output);
}

/** `npm` as a command and its arguments: the npm that runs us where there is one (no shell needed, also on Windows). */
export function npmCommand(args) {
  const script = process.env.npm_execpath;
  if (script !== undefined && /npm-cli\.[cm]?js$/.test(script)) return [process.execPath, [script, ...args]];
  return [process.platform === "win32" ? "npm.cmd" : "npm", args];
}

/** @returns {SetupError} what npm's output means, where that is known. */
export function explainNpm(status, output) {
  const tail = output
    .split("\n")
    .filter((line) => /\S/.test(line.replace(/^npm \w+/, "")) && !/npm warn|npm help|debug-0\.log/.test(line))
    .slice(0, 8)
    .join("\n");
  const known = [
    [
      /spawn \S*npm\S* ENOENT|not recognized/i,
      "npm-missing",
      "npm was not found.",
      "Install Node with npm, from nodejs.org or your system's packages.",
    ],
    [/ENOSPC/, "disk-full", "The disk is full: npm needs about 900 MB while it installs.", "Make room and run this command again."],
    [
      /EACCES|EPERM/,
      "not-writable",
      "npm may not write into this folder or into its cache.",
      "Check who owns the clone and ~/.npm (do not use sudo).",
    ],
    [
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|network|SELF_SIGNED|CERT/i,
      "network",
      "npm could not reach its registry.",
      "Check the connection, `npm config get registry`, and proxy or certificate settings (HTTPS_PROXY, NODE_EXTRA_CA_CERTS).",
    ],
    [/EUSAGE|in sync/, "lockfile", "package.json and package-lock.json disagree.", "Run `npm install` after changing dependencies."],
    [/ETARGET|E404/, "package-missing", "The registry does not have a package of package-lock.json.", "Check `npm config get registry`."],
  ].find(([pattern]) => pattern.test(output));
  if (known === undefined) {
    return new SetupError("setup/npm-failed", `npm ci ended with ${status}:\n${tail}`, "Mend what npm names and run this command again.");
  }
  return new SetupError(`setup/${known[1]}`, `${known[2]}\nnpm said (exit ${status}):\n${tail}`, known[3]);
}

/** A hash of everything that the build reads. */
export function hashSources(folder) {
  const hash = createHash("sha256");
  const web = existsSync(join(folder, "web")) ? listFiles(folder, "web") : [];
  const files = ["package-lock.json", "tsconfig.json", "tsconfig.build.json", ...listFiles(folder, "src"), ...web];
  for (const file of files) {
    if (file.endsWith(".test.ts")) continue;
    hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  }
  return hash.digest("hex");
}

function listFiles(folder, below) {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? listFiles(folder, `${below}/${entry.name}`) : [`${below}/${entry.name}`]));
}

function isBuilt(stamp) {
  return existsSync(executable) && existsSync(join(page, "index.html")) && readJson(buildStamp)?.sources === stamp;
}

/** Compiles src/ into dist/ and web/ into dist/ui, removes outputs of deleted sources, and makes `npx spar` work in the clone. */
export async function build(stamp = hashSources(root)) {
  say("Building: TypeScript into dist/, the page into dist/ui (a few seconds).");
  const done = startClock("tsc");
  removeStaleOutputs();
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, output } = await runQuietly(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")]);
  done();
  if (status !== 0) {
    rmSync(buildStamp, { force: true });
    throw new SetupError(
      "setup/build-failed",
      `The build failed:\n${output.trim()}`,
      "`npm run typecheck` shows the same errors for tests too.",
    );
  }
  if (!existsSync(executable)) {
    throw new SetupError(
      "setup/build-failed",
      "The build ended well without dist/cli/main.js.",
      "Delete dist/ and node_modules/.cache, then run again.",
    );
  }
  await buildPage();
  linkExecutable();
  mkdirSync(dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, JSON.stringify({ sources: stamp }));
}

/** Bundles aside and puts the whole in place: a server that starts meanwhile finds the old page or the new one. */
async function buildPage() {
  const done = startClock("vite");
  const aside = join(root, `node_modules/.cache/spar-ui-${process.pid}`);
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const args = [vite, "build", "--config", join(root, "web/vite.config.ts"), "--logLevel", "warn"];
  const { status, output } = await runQuietly(process.execPath, args, { SPAR_UI_OUT: aside });
  done();
  if (status !== 0 || !existsSync(join(aside, "index.html"))) {
    rmSync(buildStamp, { force: true });
    rmSync(aside, { recursive: true, force: true });
    throw new SetupError(
      "setup/build-failed",
      `The build of the page failed:\n${output.trim()}`,
      "`npm run typecheck` shows errors of types; vite names the file.",
    );
  }
  rmSync(page, { recursive: true, force: true });
  renameSync(aside, page);
}

/** tsc neither deletes outputs of removed sources nor writes again what it believes to be there. */
function removeStaleOutputs() {
  if (!existsSync(executable)) {
    rmSync(buildInfo, { force: true });
    rmSync(join(root, "dist"), { recursive: true, force: true });
    return;
  }
  const suffix = /(\.js|\.d\.ts)(\.map)?$/;
  for (const file of listFiles(root, "dist")) {
    if (file.startsWith("dist/ui/")) continue;
    if (suffix.test(file) && !existsSync(join(root, file.replace(/^dist/, "src").replace(suffix, ".ts")))) unlinkSync(join(root, file));
  }
}

/** npm links a package's `bin` for others, not for its own folder; without this `npx spar` would ask a registry. */
function linkExecutable() {
  chmodSync(executable, 0o755);
  const folder = join(root, "node_modules/.bin");
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, "spar"), { force: true });
  if (process.platform === "win32") {
    writeFileSync(join(folder, "spar.cmd"), `@node "%~dp0\\..\\..\\dist\\cli\\main.js" %*\r\n`);
    writeFileSync(join(folder, "spar"), `#!/bin/sh\nexec node "$(dirname "$0")/../../dist/cli/main.js" "$@"\n`);
  } else {
    symlinkSync("../../dist/cli/main.js", join(folder, "spar"));
  }
}

/** Runs a command with this terminal; resolves to its exit code. Ctrl-C is the child's to handle. */
export function runAttached(command, args, env = {}) {
  const child = spawn(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  const pass = (signal) => child.kill(signal);
  process.on("SIGTERM", pass);
  process.on("SIGINT", () => {});
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}

/** Runs a command and keeps what it prints; never rejects. */
function runQuietly(command, args, env = {}) {
  return new Promise((resolve) => {
    const shell = process.platform === "win32" && command.endsWith(".cmd");
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
      shell,
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ status: 127, output: `${output}\n${error.message}` }));
    child.on("close", (code) => resolve({ status: code ?? 1, output }));
  });
}

/** Shows seconds beside a name while something runs; one line at the end where there is no terminal. */
function startClock(name) {
  const start = Date.now();
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(0)} s`;
  const live = process.stderr.isTTY === true;
  const timer = live ? setInterval(() => process.stderr.write(`\r  ${name} … ${seconds()} `), 1000) : undefined;
  return () => {
    clearInterval(timer);
    process.stderr.write(`${live ? "\r" : ""}  ${name}: ${seconds()}   \n`);
  };
}

/** Progress goes to standard error, so that `--json` on standard output stays clean. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Runs `main` and ends the process with its exit code, or with 1 and the reason. */
export async function finish(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`\n${error.code}: ${error.message}\n${error.hint}`);
    process.exitCode = 1;
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
