import { createCommandline, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { addTaskOptions, loadStudioTasks, type TaskArguments } from "./task-options.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio tasks",
    "Writes a file for Label Studio's Import: the same tasks as push uploads.",
    ["spar label-studio tasks --data tasks.jsonl --out import.json"],
    io,
  );
  addTaskOptions(commandline).requiredOption("--out <file>", "the file to import, as JSON");
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<TaskArguments & { out: string }>();
  const tasks = await loadStudioTasks(options, io);
  const { writeText } = await import("../../../labeling/index.ts");
  await writeText(options.out, `${JSON.stringify(tasks, undefined, 1)}\n`);
  if (io.json) io.row({ tasks: tasks.length, out: options.out });
  else
    io.say(
      `${tasks.length} tasks: ${options.out}. Import it into a project configured with: spar label-studio config --mode ${options.mode}`,
    );
}
