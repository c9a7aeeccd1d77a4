// Loaded before a program that a test starts, or by a test that trains in its own process: as two test files run at the same time
// (vitest.config.ts), each takes half of the cores. The engine's threads spin while they wait, so that more threads than cores
// make everything slower, down to half. Tests about threads themselves name their number.
import os from "node:os";

const cores = os.availableParallelism();
os.availableParallelism = () => Math.max(1, Math.floor(cores / 2));
