import { createCommandline, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { addPairOptions, describeLabels, type PairArguments } from "./pair-options.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio read",
    "Makes preference pairs of a file that Label Studio exported: JSON, JSON_MIN, CSV or TSV, known by its name and contents.",
    ["spar label-studio read export.json --out pairs.jsonl"],
    io,
  );
  commandline.usage("FILE [options]").argument("<file>", "the exported file");
  addPairOptions(commandline);
  if (!parseCommandline(commandline, args)) return;
  const [file] = commandline.args;
  const { out, labels: labelsFile, rows, separator } = commandline.opts<PairArguments>();
  const [{ checkLabelsFile, nameLabelFiles, readStudioLabels, writeWhole }, { loadStudioExport }] = await Promise.all([
    import("../../../labeling/index.ts"),
    import("../../../data/index.ts"),
  ]);
  const files = nameLabelFiles(out, labelsFile);
  await checkLabelsFile(files.labels);
  const { labels, pairs, summary, problems } = readStudioLabels(await loadStudioExport(file), { rows, separator });
  for (const problem of problems.slice(0, 5)) io.note(`left out: ${problem}`);
  if (problems.length > 5) io.note(`left out: … and ${problems.length - 5} more tasks`);
  await writeWhole(files.labels, labels);
  await writeWhole(files.pairs, pairs);
  if (io.json) io.row({ ...summary, unreadable: problems.length, out: files.pairs, labels_file: files.labels });
  else io.say(describeLabels(summary, files).join("\n"));
}
