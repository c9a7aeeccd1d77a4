/** What the training commands share: the recipe, its trackers, Ctrl-C, and the last words. */

import { InterruptedError, UsageError } from "../internal/errors.ts";
import { quoteWord } from "../internal/quote-word.ts";
import type { Method } from "../recipes/index.ts";
import type { CommandIO } from "./output.ts";
import { readVersion } from "./version.ts";

export type TrainCommand = {
  method: Method;
  /** One sentence. */
  summary: string;
  examples: readonly string[];
};

/** Splits off the command's own flags; the rest are keys of the recipe. */
export function splitTrainArguments(args: readonly string[]): { configPath: string | undefined; flags: string[]; help: boolean } {
  let configPath: string | undefined;
  let help = false;
  const flags: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--help" || word === "-h") help = true;
    else if (word === "--config" || word === "-c") {
      const value = args[++i];
      if (value === undefined || value.startsWith("--")) throw new UsageError("--config: expected the path of a recipe after it");
      configPath = value;
    } else if (word.startsWith("--config=")) configPath = word.slice("--config=".length);
    else flags.push(word);
  }
  const [first] = flags;
  if (first !== undefined && !first.startsWith("-")) {
    const hint = /\.ya?ml$/.test(first) ? `A recipe is given with --config ${first}` : "Keys are given as --key value.";
    throw new UsageError(`${first}: unexpected word`, { hint });
  }
  return { configPath, flags, help };
}

async function renderTrainHelp(command: TrainCommand, io: CommandIO): Promise<string> {
  const { describeKeys } = await import("../recipes/index.ts");
  const keys = await describeKeys(command.method);
  const width = Math.max(...keys.map(({ key, default: initial }) => key.length + Math.min(initial.length, 24) + 3));
  const lines = keys.map((entry) => {
    const initial = entry.default.length > 24 ? `${entry.default.slice(0, 23)}…` : entry.default;
    const left = `${entry.key} (${initial})`.padEnd(width);
    return `  ${left}  ${entry.description}`;
  });
  return [
    `usage: spar ${command.method} [--config recipe.yaml] [--key value …]`,
    "",
    command.summary,
    "",
    io.paint(1, "examples:"),
    ...command.examples.map((example) => `  ${example}`),
    "",
    io.paint(1, "options:"),
    "  --config FILE   the recipe: a YAML file of the keys below; flags win over it",
    "  --resume [DIR]  go on from the newest whole checkpoint of output_dir, or from the one named",
    "  --json          the rows of metrics.jsonl and events.jsonl on standard output",
    "",
    io.paint(1, "keys (and their defaults), in the recipe or as flags, with - or _:"),
    ...lines,
  ].join("\n");
}

function describeContinuation(command: TrainCommand, args: readonly string[]): string {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!.replaceAll("_", "-");
    const next = args[i + 1];
    if (/^--(resume|resume-from-checkpoint)$/.test(word)) {
      if (next !== undefined && !next.startsWith("-")) i++;
    } else if (/^--overwrite-output-dir$/.test(word)) {
      if (next !== undefined && /^(true|false)$/i.test(next)) i++;
    } else if (!/^--(resume|resume-from-checkpoint|overwrite-output-dir)=/.test(word)) kept.push(quoteWord(args[i]!));
  }
  return ["spar", command.method, ...kept, "--resume"].join(" ");
}

export async function runTrainCommand(command: TrainCommand, args: string[], io: CommandIO): Promise<void> {
  const { configPath, flags, help } = splitTrainArguments(args);
  if (help) {
    io.say(await renderTrainHelp(command, io));
    return;
  }
  if (configPath === undefined && flags.length === 0) {
    throw new UsageError(`${command.method}: expected a recipe: --config FILE, or keys as flags`, {
      hint: `spar ${command.method} --help lists the keys, with examples.`,
    });
  }
  const { loadRecipe, runRecipe } = await import("../recipes/index.ts");
  const { createConsoleTracker, createJsonLinesTracker } = await import("../tracking/index.ts");
  const recipe = await loadRecipe({ method: command.method, ...(configPath === undefined ? {} : { configPath }), flags });
  Object.assign(process.env, recipe.env);
  io.handleInterrupts("Stopping: the step is finished and the run saved.");
  // Whoever reads the rows has gone: save and stop. A closed terminal's words are no reason to.
  io.handleBrokenPipe(io.json ? "abort" : "go-on");
  const trackers = [
    {
      name: "console",
      tracker: createConsoleTracker({ write: io.writeNote, isTerminal: io.isTerminal, width: io.width, color: io.paint(1, "") !== "" }),
    },
  ];
  if (io.json) trackers.push({ name: "json", tracker: createJsonLinesTracker(io.row) });
  const { gatherTrackerSettings } = await import("./tracker-settings.ts");
  // After the recipe's `env` has been taken over.
  const { readHubSettings } = await import("../hub/index.ts");
  const hubToken = recipe.config.report_to.includes("trackio") ? (await readHubSettings()).token : undefined;
  const trackerSettings = gatherTrackerSettings(process.env, recipe.config.report_to, hubToken);
  const labelStudioToken = process.env["LABEL_STUDIO_API_KEY"];
  const outcome = await runRecipe(recipe, {
    version: readVersion(),
    signal: io.signal,
    trackers,
    trackerSettings,
    labelStudioToken,
    judgeApiKey: process.env["OPENAI_API_KEY"],
  });
  if (outcome.status === "stopped") {
    // That it stopped, where, and what it saved was an event of the run.
    throw new InterruptedError(`To go on: ${describeContinuation(command, args)}`);
  }
  io.say(`Finished: ${outcome.steps} step${outcome.steps === 1 ? "" : "s"}; the model is in ${outcome.outputDir}`);
}
