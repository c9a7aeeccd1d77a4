/** `spar label-studio`: tasks to Label Studio, labels from there, and a reward model that labels beforehand. */

import { UsageError } from "../../internal/errors.ts";
import type { LabelMode, StudioClient, StudioSummary } from "../../labeling/index.ts";
import { addRepeatedOption, createCommandline, numberArgument, parseCommandline, type Commandline } from "../arguments.ts";
import type { CommandIO } from "../output.ts";

type Subcommand = { summary: string; run(args: string[], io: CommandIO): Promise<void> };

const subcommands: { readonly [name: string]: Subcommand } = {
  config: { summary: "print the labeling configuration to paste into a project", run: printConfig },
  push: { summary: "upload tasks to a project, which is made where it is not there", run: push },
  pull: { summary: "get the labels: preference pairs, and every label as it was given", run: pull },
  status: { summary: "how far a project is", run: showStatus },
  tasks: { summary: "write a file to import by hand", run: writeTasks },
  read: { summary: "make pairs of an exported file: JSON, JSON_MIN, CSV or TSV", run: readExport },
  backend: { summary: "serve a reward model that chooses beforehand, by the ML backend protocol", run: serveBackend },
};

const rootExamples = [
  "spar label-studio push --url http://localhost:8080 --project answers --data tasks.jsonl",
  "spar label-studio pull --url http://localhost:8080 --project answers --out pairs.jsonl",
  "spar label-studio read export.json --out pairs.jsonl",
];

export async function run(args: string[], io: CommandIO): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    if (name === undefined)
      throw new UsageError("label-studio: expected what to do: " + Object.keys(subcommands).join(", "), {
        hint: "spar label-studio --help says more.",
      });
    io.say(renderHelp(io));
    return;
  }
  if (!Object.hasOwn(subcommands, name)) {
    const { findNearest } = await import("../../recipes/index.ts");
    const nearest = findNearest(name, Object.keys(subcommands));
    throw new UsageError(`label-studio: ${name}: expected one of ${Object.keys(subcommands).join(", ")}`, {
      hint: nearest === undefined ? "spar label-studio --help says more." : `Did you mean ${nearest}?`,
    });
  }
  await subcommands[name].run(rest, io);
}

function renderHelp(io: CommandIO): string {
  const width = Math.max(...Object.keys(subcommands).map((name) => name.length));
  return [
    "usage: spar label-studio COMMAND [options]",
    "",
    "Exchanges tasks and labels with Label Studio (https://labelstud.io), on this machine or elsewhere. Its token is taken from",
    "LABEL_STUDIO_API_KEY or --token: a legacy token or a personal access token, from Account & Settings there.",
    "",
    ...Object.entries(subcommands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "spar label-studio COMMAND --help lists the options.",
    "",
    io.paint(1, "examples:"),
    ...rootExamples.map((example) => `  ${example}`),
  ].join("\n");
}

const modes: readonly string[] = ["pair", "ranking", "rating"] satisfies LabelMode[];

function readMode(text: string): LabelMode {
  if (modes.includes(text)) return text as LabelMode;
  throw new UsageError(`--mode: expected one of ${modes.join(", ")}, found ${JSON.stringify(text)}`);
}

const whole = (option: string, min: number, max = 1e6) => numberArgument(option, { integer: true, min, max });

type Access = { url: string; token?: string; timeout: number };

function addAccess(commandline: Commandline): Commandline {
  return commandline
    .requiredOption("--url <url>", "address of Label Studio")
    .requiredOption("--project <name>", "title of a project, or its number")
    .option("--token <token>", "token of Label Studio (or LABEL_STUDIO_API_KEY, which other users' ps does not show)")
    .option("--timeout <s>", "seconds that one request may take", numberArgument("--timeout", { above: 0, max: 3600 }), 60);
}

async function openClient({ url, token, timeout }: Access, io: CommandIO): Promise<StudioClient> {
  const { createStudioClient } = await import("../../labeling/index.ts");
  io.handleInterrupts("Stopping.");
  return createStudioClient({
    url,
    token: readToken(token),
    timeout,
    signal: io.signal,
    onRetry: (reason) => io.note(`Label Studio: ${reason}; trying again`),
  });
}

function readToken(token: string | undefined): string {
  const given = token ?? process.env["LABEL_STUDIO_API_KEY"] ?? "";
  if (given.trim() !== "") return given;
  throw new UsageError("label-studio: expected a token, found none", {
    hint: "Set LABEL_STUDIO_API_KEY, or give --token: it is in Label Studio under Account & Settings.",
  });
}

function showProgress(io: CommandIO, verb: string): { update(done: number, total: number): void; end(): void } {
  let shown = false;
  return {
    update(done, total) {
      if (!io.isTerminal) return;
      shown = true;
      io.writeNote(`\r\x1b[K${verb} ${done} of ${total}`);
    },
    end() {
      if (shown) io.writeNote("\r\x1b[K");
    },
  };
}

async function printConfig(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio config",
    "Prints the labeling configuration (XML) for Settings, Labeling Interface, Code of a project in Label Studio.",
    ["spar label-studio config", "spar label-studio config --mode ranking"],
    io,
  );
  commandline
    .option("--mode <mode>", "what people do: pair (which of two), ranking (best first) or rating (stars)", readMode, "pair")
    .option("--rating-max <n>", "stars of a rating", whole("--rating-max", 2, 10), 5);
  if (!parseCommandline(commandline, args)) return;
  const { mode, ratingMax } = commandline.opts<{ mode: LabelMode; ratingMax: number }>();
  const { renderStudioConfig } = await import("../../labeling/index.ts");
  const config = renderStudioConfig(mode, { ratingMax });
  if (io.json) io.row({ mode, config });
  else io.say(config.trimEnd());
}

type TaskArguments = { data: string; mode: LabelMode; seed: number; ratingMax: number };

function addTaskOptions(commandline: Commandline): Commandline {
  return commandline
    .requiredOption("--data <file>", "tasks: rows {prompt, answer1, answer2} or {prompt, candidates: […]} (JSON lines, JSON, CSV, Parquet)")
    .option("--mode <mode>", "what people do: pair, ranking or rating", readMode, "pair")
    .option("--seed <n>", "of the shuffle of sides", whole("--seed", 0, 2 ** 31), 0)
    .option("--rating-max <n>", "stars of a rating", whole("--rating-max", 2, 10), 5);
}

async function loadStudioTasks({ data, mode, seed, ratingMax }: TaskArguments, io: CommandIO) {
  const { loadTasks, makeStudioTasks } = await import("../../labeling/index.ts");
  const { tasks, duplicates } = await loadTasks(data, mode);
  if (duplicates > 0)
    io.note(
      `${duplicates} row${duplicates === 1 ? " says" : "s say"} what another one says, and ${duplicates === 1 ? "is" : "are"} left out`,
    );
  return makeStudioTasks(tasks, { mode, seed, ratingMax });
}

async function push(args: string[], io: CommandIO): Promise<void> {
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
    .option("--annotators <n>", "of a project that is made: people asked about each task", whole("--annotators", 1, 1000), 1)
    .option("--batch-size <n>", "tasks a request", whole("--batch-size", 1, 10_000), 100);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<Access & TaskArguments & { project: string; annotators: number; batchSize: number }>();
  const client = await openClient(options, io);
  const tasks = await loadStudioTasks(options, io);
  const { pushTasks } = await import("../../labeling/index.ts");
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
        `Label at ${io.paint(36, address)}, then: spar label-studio pull --url ${client.url} --project ${quote(project)} --out pairs.jsonl`,
      ].join("\n"),
    );
}

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

type PairArguments = { out: string; labels?: string; rows: "majority" | "each"; separator: string };

function addPairOptions(commandline: Commandline): Commandline {
  const readRows = (text: string): "majority" | "each" => {
    if (text === "majority" || text === "each") return text;
    throw new UsageError(`--rows: expected majority or each, found ${JSON.stringify(text)}`);
  };
  return commandline
    .requiredOption("--out <file>", "preference pairs, as JSON lines")
    .option("--labels <file>", "every label as it was given (absent: labels.jsonl beside --out)")
    .option("--rows <which>", "a pair where the majority prefers an answer, or for each annotator's preference", readRows, "majority")
    .option("--separator <text>", "put between prompt and answer where there is no white space; \\n is a line break", unescape, "");
}

const unescape = (text: string): string => text.replaceAll("\\n", "\n").replaceAll("\\t", "\t");

async function pull(args: string[], io: CommandIO): Promise<void> {
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
  const { nameLabelFiles, pullProject } = await import("../../labeling/index.ts");
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

function describeLabels(summary: StudioSummary, files: { pairs: string; labels: string }): string[] {
  const { labels, tasks, labelled, annotators, pairs, ties, both_bad, skips, empty } = summary;
  const rest = [
    [ties, ties === 1 ? "tie" : "ties"],
    [both_bad, "both bad"],
    [skips, "skipped"],
    [empty, "empty or contradictory"],
  ] as const;
  const listed = rest.flatMap(([count, name]) => (count > 0 ? [`${count} ${name}`] : []));
  return [
    `${labels} ${labels === 1 ? "label" : "labels"} of ${annotators} ${annotators === 1 ? "person" : "people"} on ${labelled} of ${tasks} tasks${listed.length === 0 ? "" : ` (${listed.join(", ")})`}: ${files.labels}`,
    `${pairs} ${pairs === 1 ? "pair" : "pairs"}: ${files.pairs}${pairs === 0 ? "" : `; next: spar reward --model_name_or_path MODEL --dataset_name ${quote(files.pairs)} --output_dir runs/reward`}`,
  ];
}

async function showStatus(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio status",
    "Says how many tasks of a project are labelled.",
    ["spar label-studio status --url http://localhost:8080 --project answers"],
    io,
  );
  addAccess(commandline);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<Access & { project: string }>();
  const { readStudioStatus } = await import("../../labeling/index.ts");
  const status = await readStudioStatus(await openClient(options, io), options.project);
  if (io.json) io.row(status);
  else
    io.say(
      `${JSON.stringify(status.title)} (project ${status.id}, ${status.mode ?? "not configured for comparing answers"}, Label Studio ${status.version}): ` +
        `${status.annotated} of ${status.tasks} tasks labelled, ${status.annotations} labels, ${status.skipped} skipped`,
    );
}

async function writeTasks(args: string[], io: CommandIO): Promise<void> {
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
  const { writeText } = await import("../../labeling/index.ts");
  await writeText(options.out, `${JSON.stringify(tasks, undefined, 1)}\n`);
  if (io.json) io.row({ tasks: tasks.length, out: options.out });
  else
    io.say(
      `${tasks.length} tasks: ${options.out}. Import it into a project configured with: spar label-studio config --mode ${options.mode}`,
    );
}

async function readExport(args: string[], io: CommandIO): Promise<void> {
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
    import("../../labeling/index.ts"),
    import("../../data/index.ts"),
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

async function serveBackend(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio backend",
    "Serves a reward model by Label Studio's ML backend protocol: connect it under Settings, Model, and it chooses the better answer beforehand, with how sure it is as the score.",
    [
      "spar label-studio backend --model runs/reward",
      "SPAR_BACKEND_AUTH=me:secret spar label-studio backend --model runs/reward --host 0.0.0.0 --allow-host labels.example.org",
    ],
    io,
  );
  commandline
    .requiredOption("--model <model>", "a reward model: a folder or a hub id")
    .option("--port <n>", "port to listen on; 0: any free one", whole("--port", 0, 65535), 9090)
    .option("--host <address>", "address to listen on; other than this machine's own needs SPAR_BACKEND_AUTH", "127.0.0.1");
  addRepeatedOption(
    commandline,
    "--allow-host <name>",
    "a further host name that requests may be addressed to, such as host.docker.internal",
  );
  commandline.option("--batch-size <n>", "answers computed at the same time", whole("--batch-size", 1, 256), 16);
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<{ model: string; port: number; host: string; allowHost: string[]; batchSize: number }>();
  const auth = process.env["SPAR_BACKEND_AUTH"] ?? "";
  if (auth !== "" && !/^[^:]+:.+$/.test(auth)) throw new UsageError("label-studio backend: SPAR_BACKEND_AUTH: expected USER:PASSWORD");
  const { createStudioBackend, isLoopback, listen } = await import("../../server/index.ts");
  if (!isLoopback(options.host) && auth === "")
    throw new UsageError(
      `label-studio backend: --host ${options.host} lets other machines in; expected a name and a password that they must know, found none`,
      {
        hint: "Set SPAR_BACKEND_AUTH=USER:PASSWORD, and give both to Label Studio (Basic authentication); or leave --host away.",
      },
    );
  const [{ resolveModelFolder }, { loadModelReward }, { createCpuBackend }, { loadTokenizer }] = await Promise.all([
    import("../open-model.ts"),
    import("../../rewards/index.ts"),
    import("../../runtime/index.ts"),
    import("../../tokenizer/index.ts"),
  ]);
  const folder = await resolveModelFolder(options.model, io);
  const backend = createCpuBackend();
  try {
    const tokenizer = await loadTokenizer(folder);
    const reward = await loadModelReward(folder, backend, { batchSize: options.batchSize, encodeTexts: true });
    const app = createStudioBackend({
      hosts: [options.host, ...options.allowHost],
      anyAddress: !isLoopback(options.host),
      basicAuth: auth,
      maxBytes: 64 * 2 ** 20,
      model: {
        name: options.model,
        folder,
        hasChatTemplate: tokenizer.hasChatTemplate,
        score: (rows, signal) => reward.score(rows, { signal }),
      },
      onError: (error) => io.note(`error: ${error instanceof Error ? error.message : String(error)}`),
    });
    const server = await listen(app, { host: options.host, port: options.port, idleTimeout: 600 });
    io.handleBrokenPipe("go-on");
    io.handleInterrupts("Stopping.");
    if (io.json) io.row({ url: server.url, port: server.port, model: options.model });
    else
      io.say(
        `${io.paint(1, options.model)} chooses at ${io.paint(36, server.url)}: connect that address in Label Studio (Settings, Model${auth === "" ? "" : ", with Basic authentication"}). Ctrl-C stops.`,
      );
    await new Promise<void>((end) => {
      if (io.signal.aborted) end();
      io.signal.addEventListener("abort", () => end());
    });
    await server.close();
    reward.release?.();
  } finally {
    backend.close();
  }
}
