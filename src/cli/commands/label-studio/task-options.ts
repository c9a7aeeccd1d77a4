/** Tasks as they go to Label Studio, by upload or as a file. */

import { UsageError } from "../../../internal/errors.ts";
import type { LabelMode } from "../../../labeling/index.ts";
import { numberArgument, type Commandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";

const modes: readonly string[] = ["pair", "ranking", "rating"] satisfies LabelMode[];

export function readMode(text: string): LabelMode {
  if (modes.includes(text)) return text as LabelMode;
  throw new UsageError(`--mode: expected one of ${modes.join(", ")}, found ${JSON.stringify(text)}`);
}

export type TaskArguments = { data: string; mode: LabelMode; seed: number; ratingMax: number };

export function addTaskOptions(commandline: Commandline): Commandline {
  return commandline
    .requiredOption("--data <file>", "tasks: rows {prompt, answer1, answer2} or {prompt, candidates: […]} (JSON lines, JSON, CSV, Parquet)")
    .option("--mode <mode>", "what people do: pair, ranking or rating", readMode, "pair")
    .option("--seed <n>", "of the shuffle of sides", numberArgument("--seed", { integer: true, min: 0, max: 2 ** 31 }), 0)
    .option("--rating-max <n>", "stars of a rating", numberArgument("--rating-max", { integer: true, min: 2, max: 10 }), 5);
}

export async function loadStudioTasks({ data, mode, seed, ratingMax }: TaskArguments, io: CommandIO) {
  const { loadTasks, makeStudioTasks } = await import("../../../labeling/index.ts");
  const { tasks, duplicates } = await loadTasks(data, mode);
  if (duplicates > 0)
    io.note(
      `${duplicates} row${duplicates === 1 ? " says" : "s say"} what another one says, and ${duplicates === 1 ? "is" : "are"} left out`,
    );
  return makeStudioTasks(tasks, { mode, seed, ratingMax });
}
