/**
 * `node scripts/other-node.mjs 22|24`: a smoke test on another version of Node, taken from npm's node-<platform>-<arch>
 * package into a cache folder: the help, a completion by the embedded model, and the tests nearest to the engine (the
 * library by FFI, tensors, weights on disk), which is where versions differ.
 */
import "./node-version.mjs";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const versions = { 22: "22.23.3", 24: "24.21.0" };
const tests = ["src/internal", "src/tensor", "src/runtime", "src/checkpoint", "src/generation"];

void import("./bootstrap.mjs").then(({ finish, npmCommand, prepare, root, runAttached, say, SetupError }) =>
  finish(async () => {
    const version = versions[process.argv[2]];
    if (version === undefined) {
      throw new SetupError(
        "setup/usage",
        `Expected one of ${Object.keys(versions).join(" or ")}, got ${process.argv[2]}.`,
        "node scripts/other-node.mjs 24",
      );
    }
    await prepare();
    const node = installNode(version);
    const run = async (...args) => {
      say(`\n${version}$ node ${args.join(" ")}`);
      const status = await runAttached(node, args, { PATH: `${join(node, "..")}:${process.env.PATH}` });
      if (status !== 0)
        throw new SetupError("setup/smoke-failed", `exit ${status} on Node ${version}: node ${args.join(" ")}`, "Run it by hand.");
    };
    await run("dist/cli/main.js", "--help");
    await run(
      "dist/cli/main.js",
      "generate",
      "--model",
      findEmbeddedModel(),
      "--prompt",
      "This film is",
      "--max-new-tokens",
      "8",
      "--seed",
      "1",
    );
    await run("node_modules/vitest/vitest.mjs", "run", ...tests);
    return 0;

    function installNode(version) {
      const cache = process.env.SPAR_CI_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "spar-ci");
      const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
      const folder = join(cache, `node-${version}`);
      const path = join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
      if (!existsSync(path)) {
        say(`Installing Node ${version} into ${folder} (about 50 MB, once).`);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
        const [command, args] = npmCommand([
          "install",
          "--prefix",
          folder,
          "--no-audit",
          "--no-fund",
          "--ignore-scripts",
          `${name}@${version}`,
        ]);
        const { status, stderr } = spawnSync(command, args, { encoding: "utf8", cwd: folder });
        if (status !== 0)
          throw new SetupError("setup/npm-failed", `npm could not install ${name}@${version}:\n${stderr}`, "Check the registry.");
      }
      return path;
    }

    function findEmbeddedModel() {
      const models = existsSync(join(root, "models")) ? readdirSync(join(root, "models")) : [];
      const name = models.find((entry) => existsSync(join(root, "models", entry, "model.safetensors")));
      if (name === undefined) throw new SetupError("setup/no-model", "models/ holds no model folder.", "Clone the repository again.");
      return join("models", name);
    }
  }),
);
