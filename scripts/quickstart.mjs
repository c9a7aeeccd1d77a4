// `npm run quickstart [-- --seed N …]`, right after `git clone`: installs and builds what is missing, then `spar quickstart`.
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ finish, prepare, root, runAttached }) =>
  finish(async () => {
    await prepare();
    return runAttached(process.execPath, [`${root}/dist/cli/main.js`, "quickstart", ...process.argv.slice(2)]);
  }),
);
