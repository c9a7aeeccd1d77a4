import { createCommandline, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { addAccess, openClient, type Access } from "./access.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio status",
    "Says how many tasks of a project are labelled.",
    ["spar label-studio status --url http://localhost:8080 --project answers"],
    io,
  );
  addAccess(commandline);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<Access & { project: string }>();
  const { readStudioStatus } = await import("../../../labeling/index.ts");
  const status = await readStudioStatus(await openClient(options, io), options.project);
  if (io.json) io.row(status);
  else
    io.say(
      `${JSON.stringify(status.title)} (project ${status.id}, ${status.mode ?? "not configured for comparing answers"}, Label Studio ${status.version}): ` +
        `${status.annotated} of ${status.tasks} tasks labelled, ${status.annotations} labels, ${status.skipped} skipped`,
    );
}
