import { defineConfig } from "vitest/config";

/** Checks against real peers: slow to start (Python, PyTorch), so one file at a time. Run by `npm run test:peers`. */
export default defineConfig({
  test: {
    include: ["test/peers/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
