import type { LabelMode } from "../../../labeling/index.ts";
import { createCommandline, numberArgument, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";
import { readMode } from "./task-options.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio config",
    "Prints the labeling configuration (XML) for Settings, Labeling Interface, Code of a project in Label Studio.",
    ["spar label-studio config", "spar label-studio config --mode ranking"],
    io,
  );
  commandline
    .option("--mode <mode>", "what people do: pair (which of two), ranking (best first) or rating (stars)", readMode, "pair")
    .option("--rating-max <n>", "stars of a rating", numberArgument("--rating-max", { integer: true, min: 2, max: 10 }), 5);
  if (!parseCommandline(commandline, args)) return;
  const { mode, ratingMax } = commandline.opts<{ mode: LabelMode; ratingMax: number }>();
  const { renderStudioConfig } = await import("../../../labeling/index.ts");
  const config = renderStudioConfig(mode, { ratingMax });
  if (io.json) io.row({ mode, config });
  else io.say(config.trimEnd());
}
