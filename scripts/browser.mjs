/**
 * `npm run test:browser [-- vitest's arguments]`: test/browser/*.test.ts, the page in a real Chromium. Where there is none,
 * Debian's is installed, if that may be done here. A skipped test is a failure.
 */
import "./node-version.mjs";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

void Promise.all([import("./bootstrap.mjs"), import("./vitest-json.mjs")]).then(
  ([{ finish, prepare, root, say, SetupError }, { printCounts, runVitest }]) => {
    const prepareBrowser = () => {
      const named = process.env.SPAR_CHROMIUM;
      if (named !== undefined ? existsSync(named) : places.some((path) => existsSync(path))) return;
      const mayInstall = named === undefined && process.platform === "linux" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
      if (mayInstall) {
        say("Chromium is not there: installing Debian's, about 100 MB to download.");
        const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
        const apt = (...args) => spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0;
        if (apt("update", "-qq") && apt("install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation")) return;
      }
      throw new SetupError(
        "setup/no-browser",
        `The tests of the page need Chromium: looked for ${named ?? places.join(", ")}.`,
        "Install it (Debian: apt-get install chromium), or name one: SPAR_CHROMIUM=/path/to/chromium",
      );
    };

    return finish(async () => {
      prepareBrowser();
      await prepare();
      const args = ["--config", join(root, "test/browser/vitest.config.ts"), "--root", root, ...process.argv.slice(2)];
      const counts = await runVitest(args);
      printCounts(counts);
      return counts.failed === 0 && counts.skipped === 0 && counts.passed > 0 ? 0 : 1;
    });
  },
);
