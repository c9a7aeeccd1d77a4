import { createCommandline, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { addAccess, openClient, showProgress, type Access } from "./access.ts";
import { addPairOptions, describeLabels, type PairArguments } from "./pair-options.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio pull",
    "Writes preference pairs {prompt, chosen, rejected, …}, and beside them every label as it was given. A tie, a skip and both-bad make no pair. Only what has changed since the last pull is read; labels that were changed or deleted are so in the files.",
    ["spar label-studio pull --url http://localhost:8080 --project answers --out pairs.jsonl"],
    io,
  );
  addPairOptions(addAccess(commandline)).option("--full", "read everything again", false);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<Access & PairArguments & { project: string; full: boolean }>();
  const client = await openClient(options, io);
  const { nameLabelFiles, pullProject } = await import("../../../labeling/index.ts");
  const progress = showProgress(io, "reading");
  const files = nameLabelFiles(options.out, options.labels);
  const { project, rows, separator, full } = options;
  const pulled = await pullProject(client, { project, files, rows, separator, full, onProgress: progress.update }).finally(progress.end);
  for (const problem of pulled.problems.slice(0, 5)) io.note(`left out: ${problem}`);
  if (pulled.problems.length > 5) io.note(`left out: … and ${pulled.problems.length - 5} more tasks`);
  const { read, gone } = pulled;
  if (io.json)
    io.row({
      project: pulled.project.id,
      title: pulled.project.title,
      ...pulled.summary,
      read,
      gone,
      unreadable: pulled.problems.length,
      out: files.pairs,
      labels_file: files.labels,
    });
  else io.say([`${read} task${read === 1 ? " is" : "s are"} new or changed.`, ...describeLabels(pulled.summary, files)].join("\n"));
}
