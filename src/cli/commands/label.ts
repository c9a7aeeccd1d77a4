/** `spar label`: a file of answers for people to compare, in the browser. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../../internal/errors.ts";
import { showPath } from "../../internal/show-path.ts";
import type { LabelMode, LabelOrder, LabelProject, LabelTask } from "../../labeling/index.ts";
import { addRepeatedOption, createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import { addUIOptions, openUI, type UIArguments } from "../open-ui.ts";
import { describeNextSteps } from "../label-next-steps.ts";
import { resolveModelFolder } from "../open-model.ts";
import type { CommandIO } from "../output.ts";
import { findSteadyPort } from "../steady-port.ts";

export type LabelArguments = UIArguments & {
  data: string;
  out: string;
  mode?: LabelMode;
  order?: LabelOrder;
  rewardModel?: string;
  labelsPerTask: number;
  overlap: number;
  guidelines?: string;
  reason: string[];
  ratingMax: number;
  seed: number;
  rankedPairs: "all" | "adjacent";
  rows: "majority" | "each";
};

const examples = [
  "spar label --data tasks.jsonl",
  "spar label --data tasks.jsonl --out labels/helpful.jsonl --labels-per-task 2 --guidelines guidelines.md",
  "spar label --data answers.jsonl --mode ranking --order uncertain --reward-model runs/reward",
  "its tasks: spar generate --model gpt2 --prompts prompts.jsonl --candidates 2 > tasks.jsonl",
];

const notes = `
Every label is in labels.jsonl, in the folder of --out, before the page calls it saved (beside NAME.jsonl other than
pairs.jsonl: NAME.labels.jsonl). --out is made from it after each change. The same command again goes on where you were,
at the same address where its port is free.`;

const defaultReasons = ["more correct", "more helpful", "clearer", "better style", "more complete", "less repetitive", "safer"];

/** Undefined when help was asked for and shown. */
export async function parseLabelArguments(args: string[], io: CommandIO): Promise<LabelArguments | undefined> {
  const summary = "Opens a page on which people choose between answers, and writes what they chose as preference pairs.";
  const commandline = await createCommandline("label", summary, examples, io);
  const choice = (flags: string, text: string, choices: readonly string[]) => commandline.createOption(flags, text).choices(choices);
  commandline
    .addHelpText("after", notes)
    .requiredOption(
      "--data <file>",
      "tasks: {prompt, answer1, answer2}, {prompt, candidates}, {prompt, a, b} or {prompt, chosen, rejected}",
    )
    .option("--out <file>", "the preference pairs: {prompt, chosen, rejected, …}", "pairs.jsonl")
    .addOption(
      choice("--mode <mode>", "what is asked (absent: pair where all tasks have two answers, else ranking)", ["pair", "ranking", "rating"]),
    )
    .addOption(
      choice("--order <order>", "which task comes next (absent: file; with --reward-model uncertain)", ["file", "random", "uncertain"]),
    )
    .option("--reward-model <model>", "uncertain: what it can least decide comes first, every fifth task at random")
    .option(
      "--labels-per-task <n>",
      "people that are asked about each task",
      numberArgument("--labels-per-task", { integer: true, min: 1, max: 1000 }),
      1,
    )
    .option(
      "--overlap <share>",
      "share of the tasks, 0 to 1, that everybody is asked about",
      numberArgument("--overlap", { min: 0, max: 1 }),
      0,
    )
    .option("--guidelines <file>", "what annotators should look at, Markdown; each change is a new version");
  addRepeatedOption(commandline, "--reason <text>", "a reason that can be clicked, instead of the usual ones");
  commandline
    .option(
      "--rating-max <n>",
      "rating: the best is this, the worst 1",
      numberArgument("--rating-max", { integer: true, min: 2, max: 10 }),
      5,
    )
    .addOption(choice("--ranked-pairs <which>", "ranking: pairs of each two answers, or of neighbours", ["all", "adjacent"]).default("all"))
    .addOption(
      choice("--rows <which>", "several people: a row where most agree, or one for each of them", ["majority", "each"]).default("majority"),
    )
    .option("--seed <n>", "of the sides, and of the random order", numberArgument("--seed", { integer: true, min: 0, max: 4294967295 }), 0);
  addUIOptions(commandline);
  if (!parseCommandline(commandline, args)) return undefined;
  const given = commandline.opts<LabelArguments>();
  const isPortGiven = commandline.getOptionValueSource("port") === "cli";
  const options = isPortGiven ? given : { ...given, port: await findSteadyPort(resolve(given.data), given.host) };
  if (options.order === "uncertain" && options.rewardModel === undefined)
    throw new UsageError("label: --order uncertain needs --reward-model, whose uncertainty it is");
  if (options.rewardModel !== undefined && options.order !== undefined && options.order !== "uncertain")
    throw new UsageError(`label: --reward-model is for --order uncertain, found --order ${options.order}`);
  if (resolve(options.out) === resolve(options.data)) throw new UsageError("label: --out is --data: the tasks would be overwritten");
  if (!/\.(jsonl|ndjson)$/i.test(options.out)) throw new UsageError(`label: --out: expected a name in .jsonl, found ${options.out}`);
  return options;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseLabelArguments(args, io);
  if (options === undefined) return;
  const { openLabelFile } = await import("../../labeling/index.ts");
  const { data, out, mode, rewardModel, labelsPerTask, overlap, guidelines, reason, ratingMax, seed, rankedPairs, rows } = options;
  const order = options.order ?? (rewardModel === undefined ? "file" : "uncertain");
  const { project, duplicates } = await openLabelFile({
    dataPath: data,
    pairsPath: resolve(out),
    queue: { order, seed, labelsPerTask, overlap },
    pairs: { rankedPairs, rows },
    ratingMax,
    reasonTags: reason.length === 0 ? defaultReasons : reason,
    ...(mode === undefined ? {} : { mode }),
    ...(guidelines === undefined ? {} : { guidelinesPath: guidelines }),
    ...(rewardModel === undefined ? {} : { measureMargins: (tasks) => measureMargins(rewardModel, tasks, io) }),
  });
  noteOpened(project, duplicates, io);
  const before = project.opened.labels;
  const { tasks } = project.progress();
  await openUI(
    {
      command: "label",
      args: options,
      rooms: ["label"],
      runsFolders: [],
      dataFiles: [resolve(data)],
      models: [],
      projects: [project],
      summary: `${tasks.toLocaleString("en")} tasks of ${data}.`,
    },
    io,
  );
  await tellResult(project, before, options, io);
}

function noteOpened({ opened, labelsPath }: LabelProject, duplicates: number, io: CommandIO): void {
  const labels = showPath(labelsPath);
  if (duplicates > 0) io.note(`${duplicates} rows say the same as an earlier one, and are asked once`);
  if (opened.cut > 0)
    io.note(`${labels}: a last line that a crash had torn was cut off (${opened.cut} bytes); nothing that was called saved is lost`);
  if (opened.labels > 0) io.note(`${labels} holds ${opened.labels} labels already: going on from there`);
  if (opened.elsewhere > 0)
    io.note(`${opened.elsewhere} of them are of tasks that are not in this file, or had other texts; their pairs are kept`);
}

/** After the end: the project is closed and remembers what there was. */
async function tellResult(project: LabelProject, before: number, { data }: LabelArguments, io: CommandIO): Promise<void> {
  const { given, wanted, tasks, annotators } = project.progress();
  const pairs = await project.writePairs();
  const [labelsFile, pairsFile] = [showPath(project.labelsPath), showPath(project.pairsPath)];
  const people = Object.keys(annotators).filter((name) => annotators[name].done > 0);
  if (io.json) {
    io.row({ tasks, wanted, labels: given, annotators: people, pairs, labels_file: labelsFile, pairs_file: pairsFile });
    return;
  }
  if (given === 0 && before === 0) {
    io.say("Nothing was labelled.");
    return;
  }
  const who = people.length === 0 ? "" : ` by ${people.slice(0, 5).join(", ")}${people.length > 5 ? ` and ${people.length - 5} more` : ""}`;
  io.say(`${io.paint(1, `${given} of ${wanted} labels`)}${who} in ${labelsFile}: ${io.paint(1, `${pairs} pairs`)} in ${pairsFile}`);
  if (pairs === 0) return;
  const hasRecipes = ["recipes/quickstart/reward.yaml", "recipes/quickstart/ppo.yaml", "models/tiny-reviews"].every((path) =>
    existsSync(path),
  );
  io.say(describeNextSteps({ data, pairsFile, pairs, hasRecipes }));
}

/** How far apart the two best answers of each task are, to a reward model. */
async function measureMargins(spec: string, tasks: readonly LabelTask[], io: CommandIO): Promise<Float64Array> {
  const [{ createJudge }, { createCpuBackend }] = await Promise.all([import("../../rewards/index.ts"), import("../../runtime/index.ts")]);
  const backend = createCpuBackend();
  try {
    const judge = await createJudge(`reward:${spec}`, { backend, resolveModel: (name) => resolveModelFolder(name, io) });
    try {
      io.note(`asking ${spec} how sure it is of ${tasks.length.toLocaleString("en")} tasks`);
      const requests = tasks.flatMap(({ prompt, candidates }) => candidates.map(({ text }) => ({ prompt, answer: text })));
      const grades = await judge.grade(requests, {
        onProgress(done, total) {
          if (io.isTerminal) io.writeNote(done === total ? "\r\x1b[K" : `\rscored ${done} of ${total} answers\x1b[K`);
        },
      });
      let at = 0;
      return Float64Array.from(tasks, ({ candidates }) => {
        const scores = grades.slice(at, (at += candidates.length)).map(({ score }) => score ?? NaN);
        const [best, second] = scores.sort((a, b) => b - a);
        return best - second;
      });
    } finally {
      judge.release?.();
    }
  } finally {
    backend.close();
  }
}
