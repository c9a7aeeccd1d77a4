// `npm test [-- vitest's arguments]`, right after `git clone`: installs and builds what is missing, then runs every test
// that needs neither Python, a browser nor the network. Checks against peers have their own runner (peers.mjs).
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ finish, prepare, root, runAttached }) =>
  finish(async () => {
    await prepare();
    const vitest = `${root}/node_modules/vitest/vitest.mjs`;
    return runAttached(process.execPath, [
      vitest,
      "run",
      "--exclude",
      "test/peers/**",
      "--exclude",
      "test/browser/**",
      ...process.argv.slice(2),
    ]);
  }),
);
