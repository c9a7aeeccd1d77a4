import { defineConfig } from "vitest/config";

/** The page in a real browser, through the built `dist/`: one file at a time. Run by `npm run test:browser`. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
