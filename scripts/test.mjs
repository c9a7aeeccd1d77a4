// `npm test [-- vitest's arguments]`, right after `git clone`: installs and builds what is missing, then runs every test
// that needs neither Python, a browser nor the network. Peers, the browser and the walkthroughs have runners of their own.
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ finish, prepare, root, runAttached }) =>
  finish(async () => {
    await prepare();
    const elsewhere = ["peers", "browser", "walkthroughs"].flatMap((folder) => ["--exclude", `test/${folder}/**`]);
    return runAttached(process.execPath, [`${root}/node_modules/vitest/vitest.mjs`, "run", ...elsewhere, ...process.argv.slice(2)]);
  }),
);
