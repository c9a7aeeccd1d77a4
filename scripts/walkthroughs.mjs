// `npm run test:walkthroughs [-- vitest's arguments]`: docs/walkthrough-*.md, every command, and whether it did what the page says.
import "./node-version.mjs";

void import("./bootstrap.mjs").then(({ finish, prepare, root, runAttached }) =>
  finish(async () => {
    await prepare();
    const config = ["--config", `${root}/test/walkthroughs/vitest.config.ts`, "--root", root];
    return runAttached(process.execPath, [`${root}/node_modules/vitest/vitest.mjs`, "run", ...config, ...process.argv.slice(2)]);
  }),
);
