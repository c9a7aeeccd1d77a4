/**
 * `npm run test:peers [-- vitest's arguments]`: test/peers/*.test.ts, which compare spar with PyTorch, Transformers
 * and safetensors, let W&B, TensorBoard, Trackio and MLflow read what it writes, and exchange labels with Label Studio. Makes their
 * Python environments first, once, in a cache folder outside the repository.
 * A skipped test is a failure here. `--python-only` prints the path of that Python and runs nothing.
 */
import "./node-version.mjs";
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";

/** Outside the repository, so that a fresh clone finds it again. SPAR_CI_CACHE moves it. */
const cache = process.env.SPAR_CI_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "spar-ci");

void Promise.all([import("./bootstrap.mjs"), import("./vitest-json.mjs")]).then(
  ([{ finish, prepare, root, say, SetupError }, { printCounts, runVitest }]) => {
    /** bench/peers/setup.py knows what to install and how to do without the CUDA packages; it does nothing twice. */
    const preparePython = (kind, megabytes) => {
      const system = findPython(SetupError);
      say(`Python environment of the peers (${kind}), in ${cache}: made once, about ${megabytes} MB to download.`);
      const args = [join(root, "bench/peers/setup.py"), "--dir", join(cache, "peers"), "--only", kind];
      const { status, stdout } = spawnSync(system, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
      if (status === 0) return JSON.parse(stdout.trim().split("\n").at(-1))[kind];
      throw new SetupError(
        "setup/peers-failed",
        `bench/peers/setup.py ended with ${status}.`,
        "Its last lines name the reason: pip's settings, the disk (3 GB), python3-venv, or gcc and binutils on Linux.",
      );
    };

    return finish(async () => {
      const python = preparePython("main", 540);
      if (process.argv.includes("--python-only")) {
        console.log(python);
        return 0;
      }
      const trackers = preparePython("trackers", 350);
      const studio = preparePython("label-studio", 250);
      await prepare();
      const args = ["--config", join(root, "test/peers/vitest.config.ts"), "--root", root, ...process.argv.slice(2)];
      const counts = await runVitest(args, { SPAR_PYTHON: python, SPAR_TRACKERS_PYTHON: trackers, SPAR_LABEL_STUDIO_PYTHON: studio });
      printCounts(counts);
      return counts.failed === 0 && counts.skipped === 0 && counts.passed > 0 ? 0 : 1;
    });
  },
);

function findPython(SetupError) {
  for (const command of [process.env.SPAR_PEER_PYTHON, "python3", "python"]) {
    if (!command) continue;
    const { status } = spawnSync(command, ["-c", "import sys, venv; sys.exit(sys.version_info < (3, 10))"]);
    if (status === 0) return command;
  }
  throw new SetupError(
    "setup/no-python",
    "The checks against peers need Python 3.10 or newer with its venv module; none was found.",
    "Install it (Debian: apt-get install python3-venv), or name one: SPAR_PEER_PYTHON=/path/to/python",
  );
}
