/** `spar eval --compare`: results of earlier runs beside each other. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LoadedResult } from "../../evaluation/index.ts";
import { SparError } from "../../internal/errors.ts";
import { formatTable, type CommandIO } from "../output.ts";
import { readVersion } from "../version.ts";

/** @param claim makes the folder of the report, once all results are read */
export async function compareRuns(paths: readonly string[], claim: () => string, io: CommandIO): Promise<void> {
  const { compareResults, listComparison, loadResult, renderComparisonMarkdown, renderComparisonPage, shortenName } =
    await import("../../evaluation/index.ts");
  const results: LoadedResult[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    try {
      results.push(await loadResult(path));
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      problems.push(`  ${error.message}`);
    }
  }
  if (problems.length > 0)
    throw new SparError(
      "evaluation/no-result",
      [`eval --compare: ${problems.length} of ${paths.length} results cannot be read`, ...problems].join("\n"),
    );
  const comparison = compareResults(results);
  const folder = claim();
  await writeFile(join(folder, "comparison.json"), `${JSON.stringify(comparison, null, 2)}\n`);
  await writeFile(join(folder, "comparison.md"), renderComparisonMarkdown(comparison, results));
  await writeFile(join(folder, "comparison.html"), renderComparisonPage(comparison, results, readVersion()));
  if (io.json) io.row(comparison);
  const title = ({ kind, group, name }: LoadedResult): string =>
    kind === "quickstart" ? `${group}: ${shortenName(name)}` : shortenName(name);
  io.say(`\n${formatTable(["", ...results.map(title)], listComparison(results))}`);
  io.say(`\n${io.paint(1, comparison.headline)}\n${comparison.reason}`);
  io.say(`\nreport: ${io.paint(36, join(folder, "comparison.html"))} (and .md, .json beside it)`);
}
