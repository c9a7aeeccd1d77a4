/** `spar doctor`: tests this machine, or a recipe before it is run. */

import { readFile } from "node:fs/promises";
import type { Finding, Forecast, MachineReport } from "../../doctor/index.ts";
import { SparError, UsageError } from "../../internal/errors.ts";
import type { Method } from "../../recipes/index.ts";
import { createCommandline, parseCommandline } from "../arguments.ts";
import { formatTable, type CommandIO } from "../output.ts";

export type DoctorArguments = {
  /** Check this recipe, without training. */
  config?: string;
  /** The method of the recipe, where its keys do not tell. */
  method?: string;
  /** List the rewards that are shipped as rules. */
  rules: boolean;
  /** Whether a few steps are trained to measure memory and time. */
  trial: boolean;
  /** Keys of the recipe, as flags. */
  flags: string[];
};

const examples = [
  "spar doctor",
  "spar doctor --config ppo.yaml",
  "spar doctor --config sft.yaml --method sft --learning_rate 1e-4",
  "spar doctor --rules",
];

/** Undefined when help was asked for and shown. */
export async function parseDoctorArguments(args: string[], io: CommandIO): Promise<DoctorArguments | undefined> {
  const summary =
    "Tests the engine on this machine and says what it can do; with --config, what would go wrong in a training before it is run.";
  const commandline = await createCommandline("doctor", summary, examples, io);
  commandline
    .usage("[options] [--config FILE [--KEY VALUE …]]")
    .option("--config <file>", "check this recipe; its keys may be given as flags too")
    .option("--method <method>", "the recipe's method, where its keys do not tell")
    .option("--no-trial", "with --config: do not train a few steps to measure memory and time")
    .option("--rules", "list the rewards that are shipped as rules", false)
    .allowUnknownOption()
    .allowExcessArguments();
  if (!parseCommandline(commandline, args)) return undefined;
  const options = { ...commandline.opts<Omit<DoctorArguments, "flags">>(), flags: [...commandline.args] };
  if (options.config === undefined) {
    if (options.method !== undefined) throw new UsageError("doctor: --method needs --config");
    if (options.flags.length > 0)
      throw new UsageError(`doctor: ${options.flags[0]}: expected --config with a recipe's keys`, {
        hint: "spar doctor --help lists the options.",
      });
  }
  return options;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseDoctorArguments(args, io);
  if (options === undefined) return;
  if (options.rules) await showRules(io);
  else if (options.config === undefined) await showMachine(io);
  else await showRecipe(options, options.config, io);
}

async function showRules(io: CommandIO): Promise<void> {
  const { listRules } = await import("../../rewards/index.ts");
  for (const { name, description, options } of listRules()) {
    if (io.json) {
      io.row({ name, description, options });
      continue;
    }
    io.say(`rule:${name}  ${description}`);
    for (const option of options) {
      const values = typeof option.kind === "string" ? option.kind : option.kind.join(" | ");
      const fallback =
        option.default !== undefined ? `, default ${option.default}` : option.optional === true ? ", optional" : ", required";
      io.say(`    ${option.name} (${values}${fallback})  ${option.description}`);
    }
  }
  if (!io.json) io.say("\nin a recipe:  reward_funcs: ['rule:NAME?option=value&option=value']");
}

async function showMachine(io: CommandIO): Promise<void> {
  const { examineMachine } = await import("../../doctor/index.ts");
  const report = await examineMachine({ onStage: (stage) => io.note(`${stage} …`) });
  io.handleBrokenPipe("go-on");
  if (io.json) {
    const { tests, ...machine } = report;
    io.row({ kind: "machine", ...machine });
    for (const test of tests) io.row({ kind: "self-test", ...test });
  } else io.say(formatMachine(report));
  const failed = report.tests.flatMap(({ threads, failures }) => failures.map(({ name }) => `${name} (${threads} threads)`));
  if (failed.length > 0) {
    throw new SparError(
      "doctor/self-test",
      `the engine computes wrongly on this machine: ${failed.length} failed: ${failed.slice(0, 5).join(", ")}${failed.length > 5 ? " …" : ""}`,
      {
        hint: "Do not train here. Report the failures with the output of spar doctor --json.",
      },
    );
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 10 * 2 ** 30 ? 2 : 1)} GiB`;

function formatMachine(report: MachineReport): string {
  const { cpu, platform, node, cores, threads, memoryBytes, availableBytes, devices, gemmRate, tests, libraries } = report;
  const rows: [string, string][] = [
    ["platform", `${platform}, Node ${node}`],
    ["processor", `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"} for this process`],
    ["memory", `${gigabytes(memoryBytes)}, ${gigabytes(availableBytes)} free`],
    ["engine", libraries.map(({ name, version }) => `${name} ${version}`).join(", ")],
    ["devices", devices.join(", ")],
    ["threads", `${threads} for training`],
    ["speed", `${(gemmRate / 1e9).toFixed(1)} GFLOP/s in matrix products`],
    ...tests.map(({ threads: count, cases, failures, seconds }): [string, string] => [
      "self-test",
      `${count} ${count === 1 ? "thread" : "threads"}: ${failures.length === 0 ? `all ${cases} cases equal the reference` : `${failures.length} of ${cases} cases failed`} (${seconds.toFixed(1)} s)`,
    ]),
  ];
  const failures = tests.flatMap(({ threads: count, failures: found }) =>
    found.map(({ name, message }) => `  ${name} (${count} threads): ${message}`),
  );
  return [formatTable(["what", "found"], rows), ...(failures.length === 0 ? [] : ["", "failed:", ...failures])].join("\n");
}

async function showRecipe(options: DoctorArguments, config: string, io: CommandIO): Promise<void> {
  const { checkRecipe, formatFinding, inferMethod } = await import("../../doctor/index.ts");
  const { loadRecipe } = await import("../../recipes/index.ts");
  const { createCpuBackend } = await import("../../runtime/index.ts");
  const method = await chooseMethod(options.method, config, options.flags, inferMethod);
  const recipe = await loadRecipe({ method, configPath: config, flags: options.flags });
  Object.assign(process.env, recipe.env);
  io.handleInterrupts("Stopping.");
  const backend = createCpuBackend();
  try {
    const { findings, forecast } = await checkRecipe(recipe, {
      backend,
      trial: options.trial,
      signal: io.signal,
      onStage: (stage) => io.note(`${stage} …`),
    });
    for (const finding of findings) {
      if (io.json) io.row({ kind: "finding", ...finding });
      else io.say(`${paintLevel(finding, io)}${formatFinding(finding).slice(finding.level.length)}`);
    }
    if (forecast !== undefined) {
      if (io.json) io.row({ kind: "forecast", ...forecast });
      else io.say(`${findings.length === 0 ? "" : "\n"}${formatForecast(forecast)}`);
    }
    const errors = findings.filter(({ level }) => level === "error");
    if (errors.length > 0)
      throw new SparError(
        "doctor/recipe",
        `${config} (${method}): ${errors.length} ${errors.length === 1 ? "error" : "errors"}: ${errors.map(({ code }) => code).join(", ")}`,
      );
    if (findings.length === 0) io.say(`${config} (${method}): nothing stands in the way.`);
  } finally {
    backend.close();
  }
}

function paintLevel({ level }: Finding, io: CommandIO): string {
  return io.paint({ error: 31, warning: 33, note: 2 }[level], level);
}

function formatForecast(forecast: Forecast): string {
  const { rows, steps, shapes, secondsPerStep, seconds, peakBytes, bufferBytes, intermediateBytes, availableBytes } = forecast;
  return formatTable(
    ["forecast", "value"],
    [
      ["rows", rows.toLocaleString("en-US")],
      ["steps", `${steps.toLocaleString("en-US")}, in ${shapes} padded ${shapes === 1 ? "shape" : "shapes"}`],
      ["time", `${formatDuration(seconds)} (${secondsPerStep.toPrecision(3)} s a step); evaluation and checkpoints come on top`],
      ["memory", `${gigabytes(peakBytes)} at most; ${gigabytes(availableBytes)} were free`],
      [
        "",
        `of it weights, gradients, moments and batches ${gigabytes(bufferBytes)}, values of one step ${gigabytes(intermediateBytes)} (planned)`,
      ],
    ],
  );
}

function formatDuration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

async function chooseMethod(
  asked: string | undefined,
  config: string,
  flags: readonly string[],
  inferMethod: (text: string, file: string) => Promise<Method>,
): Promise<Method> {
  const { configSchemas } = await import("../../trainers/configs.ts");
  const methods = Object.keys(configSchemas) as Method[];
  if (asked !== undefined) {
    const method = methods.find((name) => name === asked);
    if (method === undefined) throw new UsageError(`doctor: --method: expected ${methods.join(", ")}, found ${asked}`);
    return method;
  }
  const text = await readFile(config, "utf8").catch((cause: unknown) => {
    throw new SparError("recipe/not-readable", `cannot read the recipe ${config}: ${(cause as Error).message}`, {
      hint: "--config takes the path of a YAML file.",
      cause,
    });
  });
  const named = flags.flatMap((word) => (word.startsWith("--") ? [`${word.slice(2).split("=")[0].replaceAll("-", "_")}: x`] : []));
  return inferMethod(`${text}\n${named.filter((line) => !new RegExp(`^${line.split(":")[0]}:`, "m").test(text)).join("\n")}\n`, config);
}
