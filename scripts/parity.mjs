// `[SPAR_PARITY=FOLDER] npm run test:parity`: the parity tests on any folder laid out like test/fixtures/parity.
// Ends with `N passed, N failed, N skipped`; exit 0 when nothing failed and something passed.
import "./node-version.mjs";

void Promise.all([import("./bootstrap.mjs"), import("./vitest-json.mjs"), import("node:fs"), import("node:path")]).then(
  ([{ finish, prepare, root, SetupError }, { printCounts, runVitest }, { existsSync }, { join, resolve }]) =>
    finish(async () => {
      const folder = resolve(process.env.SPAR_PARITY ?? join(root, "test/fixtures/parity"));
      if (!existsSync(folder)) {
        throw new SetupError(
          "setup/no-parity-folder",
          `SPAR_PARITY: there is no folder ${folder}.`,
          "Give a folder with models/, runs/ and rl/ in it.",
        );
      }
      await prepare();
      const counts = await runVitest(["test/parity/", ...process.argv.slice(2)], { SPAR_PARITY: folder });
      printCounts(counts);
      return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
    }),
);
