/** Runs vitest and counts: for runners whose last line is `N passed, N failed, N skipped`. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, runAttached } from "./bootstrap.mjs";

/**
 * Runs the given vitest arguments with the person's view on the terminal.
 * @returns {Promise<{passed: number, failed: number, skipped: number, failures: string[], skips: string[]}>}
 *   A file that does not even load counts as one failure.
 */
export async function runVitest(args, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), "spar-vitest-"));
  const file = join(folder, "result.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  try {
    await runAttached(process.execPath, [`${root}/node_modules/vitest/vitest.mjs`, "run", ...reporters, ...args], env);
    return count(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return { passed: 0, failed: 1, skipped: 0, failures: ["vitest ended without a result"], skips: [] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(result) {
  const tests = result.testResults.flatMap((file) => file.assertionResults);
  const named = (status) => tests.filter((test) => status.includes(test.status)).map((test) => test.fullName);
  const broken = result.testResults
    .filter((file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"))
    .map((file) => `${file.name}: ${file.message.split("\n")[0]}`);
  const failures = [...named(["failed"]), ...broken];
  const skips = named(["skipped", "pending", "todo"]);
  return { passed: named(["passed"]).length, failed: failures.length, skipped: skips.length, failures, skips };
}

/** Prints names and the closing line. */
export function printCounts({ passed, failed, skipped, failures, skips }) {
  for (const name of skips) console.log(`skipped: ${name}`);
  for (const name of failures) console.log(`FAILED: ${name}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
