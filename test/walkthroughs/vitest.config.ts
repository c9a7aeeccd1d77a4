import { defineConfig } from "vitest/config";

/** The walkthroughs of docs/, each a chain of trainings: minutes. Run by `npm run test:walkthroughs`. */
export default defineConfig({
  test: {
    include: ["test/walkthroughs/**/*.test.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
