import { createCommandline, numberArgument, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { quoteWord } from "../../../internal/quote-word.ts";
import { addAccess, openClient, showProgress, type Access } from "./access.ts";
import { addTaskOptions, loadStudioTasks, type TaskArguments } from "./task-options.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio push",
    "Uploads tasks. The sides of each are shuffled; how is kept in the task's meta, which people do not see. What is there already stays as it is: pushing again adds only what is new.",
    [
      "spar label-studio push --url http://localhost:8080 --project answers --data tasks.jsonl",
      "spar label-studio push --url http://localhost:8080 --project ranked --data tasks.jsonl --mode ranking --annotators 2",
    ],
    io,
  );
  addTaskOptions(addAccess(commandline))
    .option(
      "--annotators <n>",
      "of a project that is made: people asked about each task",
      numberArgument("--annotators", { integer: true, min: 1, max: 1000 }),
      1,
    )
    .option("--batch-size <n>", "tasks a request", numberArgument("--batch-size", { integer: true, min: 1, max: 10_000 }), 100);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<Access & TaskArguments & { project: string; annotators: number; batchSize: number }>();
  const client = await openClient(options, io);
  const tasks = await loadStudioTasks(options, io);
  const { pushTasks } = await import("../../../labeling/index.ts");
  const progress = showProgress(io, "uploading");
  const { project, mode, annotators, batchSize, ratingMax } = options;
  const outcome = await pushTasks(client, {
    project,
    mode,
    tasks,
    annotatorsPerTask: annotators,
    ratingMax,
    batchSize,
    onProgress: progress.update,
  }).finally(progress.end);
  const address = `${client.url}/projects/${outcome.project.id}/data`;
  const { added, present, removed, isNewProject } = outcome;
  if (io.json)
    io.row({
      project: outcome.project.id,
      title: outcome.project.title,
      url: address,
      new_project: isNewProject,
      tasks: tasks.length,
      added,
      present,
      removed,
    });
  else
    io.say(
      [
        `${isNewProject ? "Made" : "Found"} the project ${JSON.stringify(outcome.project.title)}: ${added} task${added === 1 ? "" : "s"} added, ${present} there already.`,
        `Label at ${io.paint(36, address)}, then: spar label-studio pull --url ${client.url} --project ${quoteWord(project)} --out pairs.jsonl`,
      ].join("\n"),
    );
}
