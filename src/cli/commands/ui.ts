/** `spar ui`: labeling, runs, samples and chat in one page, for this machine. */

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SparError } from "../../internal/errors.ts";
import type { LabelProject } from "../../labeling/index.ts";
import { addRepeatedOption, createCommandline, parseCommandline } from "../arguments.ts";
import { addUIOptions, openUI, type UIArguments } from "../open-ui.ts";
import type { CommandIO } from "../output.ts";
import { findSteadyPort } from "../steady-port.ts";

type Arguments = UIArguments & { data: string[]; runs: string[]; model: string[] };

const examples = [
  "spar ui",
  "spar ui --data candidates.jsonl --runs runs --runs ../other/runs",
  "spar ui --port 8080 --no-open --json",
  "ssh -L 8080:127.0.0.1:8080 machine, and there: spar ui --port 8080 --no-open",
];

export async function run(args: string[], io: CommandIO): Promise<void> {
  const summary = "Opens a page for people: labeling, live curves of runs, samples side by side, chat with one model or two.";
  const commandline = await createCommandline("ui", summary, examples, io);
  addRepeatedOption(
    commandline,
    "--data <file>",
    "tasks to label, {prompt, answer1, answer2} or {prompt, candidates}; FILE.pairs.jsonl and FILE.pairs.labels.jsonl come beside it",
  );
  addRepeatedOption(commandline, "--runs <folder>", "a folder with runs (absent: runs)");
  addRepeatedOption(
    commandline,
    "--model <model>",
    "a model for chat and samples: a folder, a .gguf file or a hub id; those of the runs are there anyway",
  );
  addUIOptions(commandline);
  if (!parseCommandline(commandline, args)) return;
  const given = commandline.opts<Arguments>();
  const isPortGiven = commandline.getOptionValueSource("port") === "cli";
  const options = isPortGiven ? given : { ...given, port: await findSteadyPort(process.cwd(), given.host) };
  const runsFolders = options.runs.length === 0 ? [resolve("runs")] : await Promise.all(options.runs.map(findFolder));
  const dataFiles = options.data.map((path) => resolve(path));
  await openUI(
    {
      command: "ui",
      args: options,
      rooms: ["label", "runs", "samples", "chat"],
      runsFolders,
      dataFiles,
      models: options.model,
      projects: await openProjects(dataFiles),
      summary: "Label, Runs, Samples and Chat.",
    },
    io,
  );
}

/** Throws where a folder was named that is not there: a typing error would look like a folder without runs. */
async function findFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return resolve(path);
  throw new SparError("data/not-found", `ui: --runs ${path}: expected a folder, found ${found === undefined ? "nothing" : "a file"}`);
}

/** Beside the tasks, so that the same file finds its labels again, in whatever company it comes. */
const namePairs = (dataPath: string): string => dataPath.replace(/(\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?)?$/i, ".pairs.jsonl");

/** One project a file; a second file of the same name gets a number. */
async function openProjects(files: readonly string[]): Promise<LabelProject[]> {
  if (files.length === 0) return [];
  const { nameProject, openLabelFile } = await import("../../labeling/index.ts");
  const projects: LabelProject[] = [];
  try {
    for (const dataPath of new Set(files)) {
      const name = nameProject(dataPath.replace(/^.*[/\\]/, ""));
      const isTaken = (id: string): boolean => projects.some((project) => project.id === id);
      let id = name;
      for (let number = 2; isTaken(id); number++) id = `${name}-${number}`;
      projects.push((await openLabelFile({ dataPath, id, pairsPath: namePairs(dataPath) })).project);
    }
  } catch (error) {
    await Promise.all(projects.map((project) => project.close()));
    throw error;
  }
  return projects;
}
