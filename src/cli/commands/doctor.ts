/** `spar doctor`: tests this machine, or a recipe before it is run. */

import type { Finding, Forecast, MachineReport, RecipeCheck } from "../../doctor/index.ts";
import { SparError, UsageError } from "../../internal/errors.ts";
import type { Method } from "../../recipes/index.ts";
import { createCommandline, parseCommandline } from "../arguments.ts";
import { formatTable, type CommandIO } from "../output.ts";

export type DoctorArguments = {
  /** Check this recipe, without training. */
  config?: string;
  /** The method of the recipe; absent: keys and data tell. */
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
  "spar doctor --config sft.yaml --learning_rate 1e-4",
  "spar doctor --method sft --model_name_or_path models/tiny-reviews --dataset_name texts.jsonl --output_dir out",
  "spar doctor --rules",
];

/** Undefined when help was asked for and shown. */
export async function parseDoctorArguments(args: string[], io: CommandIO): Promise<DoctorArguments | undefined> {
  const summary =
    "Tests the engine on this machine and says what it can do; with --config, what would go wrong in a training before it is run.";
  const commandline = await createCommandline("doctor", summary, examples, io);
  commandline
    .usage("[options] [--config FILE] [--method METHOD] [--KEY VALUE …]")
    .option("--config <file>", "check this recipe; its keys may be given as flags too")
    .option("--method <method>", "the recipe's method; left out, keys and data tell")
    .option("--no-trial", "of a recipe: do not train a few steps to measure memory and time")
    .option("--rules", "list the rewards that are shipped as rules", false)
    .allowUnknownOption()
    .allowExcessArguments();
  if (!parseCommandline(commandline, args)) return undefined;
  const options = { ...commandline.opts<Omit<DoctorArguments, "flags">>(), flags: [...commandline.args] };
  return options;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseDoctorArguments(args, io);
  if (options === undefined) return;
  if (options.rules) await showRules(io);
  else if (options.config === undefined && options.method === undefined && options.flags.length === 0) await showMachine(io);
  else await showRecipes(options, io);
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

/** One method after the other, where preference pairs could be for several. */
async function showRecipes({ config, method: asked, flags, trial }: DoctorArguments, io: CommandIO): Promise<void> {
  const { checkRecipe, inferMethods } = await import("../../doctor/index.ts");
  const { loadRecipe, parseRecipe, readRecipeFile } = await import("../../recipes/index.ts");
  const { createCpuBackend } = await import("../../runtime/index.ts");
  const stray = flags.find((word, i) => !word.startsWith("-") && (i === 0 || !flags[i - 1].startsWith("-")));
  if (config === undefined && stray !== undefined)
    throw new UsageError(`doctor: ${stray}: expected --config FILE, or a recipe's keys as flags`, {
      hint: "spar doctor --help lists the options.",
    });
  const yaml = config === undefined ? undefined : { text: await readRecipeFile(config), file: config };
  const methods = asked === undefined ? await inferMethods({ yaml, flags }) : [await readMethod(asked)];
  io.handleInterrupts("Stopping.");
  const backend = createCpuBackend();
  // The training's command takes as long to get here.
  const programSeconds = performance.now() / 1000;
  const failed: string[] = [];
  try {
    for (const method of methods) {
      if (asked === undefined) io.note(`as a recipe for ${method}${methods.length > 1 ? ` (the keys fit ${methods.join(" and ")})` : ""}`);
      // Of a method of several stages nothing is opened: what its recipe names is looked for here.
      const recipe =
        method === "self-rewarding" || method === "spin"
          ? await loadRecipe({ method, ...(config === undefined ? {} : { configPath: config }), flags })
          : await parseRecipe({ method, yaml, flags });
      Object.assign(process.env, recipe.env);
      const check = await checkRecipe(recipe, {
        programSeconds,
        backend,
        trial,
        labelStudioToken: process.env["LABEL_STUDIO_API_KEY"],
        signal: io.signal,
        onStage: (stage) => io.note(`${stage} …`),
      });
      await showCheck(method, check, io);
      const name = `${config ?? "the recipe"} (${method})`;
      const errors = check.findings.filter(({ level }) => level === "error");
      if (errors.length > 0)
        failed.push(`${name}: ${errors.length} ${errors.length === 1 ? "error" : "errors"}: ${errors.map(({ code }) => code).join(", ")}`);
      if (check.findings.length === 0 && !io.json) io.say(`${name}: nothing stands in the way.`);
    }
  } finally {
    backend.close();
  }
  if (failed.length > 0) throw new SparError("doctor/recipe", failed.join("; "));
}

async function showCheck(method: Method, { findings, forecast }: RecipeCheck, io: CommandIO): Promise<void> {
  const { formatFinding } = await import("../../doctor/index.ts");
  for (const finding of findings) {
    if (io.json) io.row({ kind: "finding", method, ...finding });
    else io.say(`${paintLevel(finding, io)}${formatFinding(finding).slice(finding.level.length)}`);
  }
  if (forecast === undefined) return;
  if (io.json) io.row({ kind: "forecast", method, ...forecast });
  else io.say(`${findings.length === 0 ? "" : "\n"}${formatForecast(forecast)}`);
}

async function readMethod(asked: string): Promise<Method> {
  const { configSchemas } = await import("../../trainers/configs.ts");
  const methods = Object.keys(configSchemas) as Method[];
  const method = methods.find((name) => name === asked);
  if (method === undefined) throw new UsageError(`doctor: --method: expected ${methods.join(", ")}, found ${asked}`);
  return method;
}

function paintLevel({ level }: Finding, io: CommandIO): string {
  return io.paint({ error: 31, warning: 33, note: 2 }[level], level);
}

function formatForecast(forecast: Forecast): string {
  const { rows, steps, shapes, secondsPerStep, seconds, startSeconds, evaluationSeconds, savingSeconds } = forecast;
  const { peakBytes, bufferBytes, intermediateBytes, availableBytes } = forecast;
  return formatTable(
    ["forecast", "value"],
    [
      ["rows", rows.toLocaleString("en-US")],
      ["steps", `${steps.toLocaleString("en-US")}, in ${shapes} padded ${shapes === 1 ? "shape" : "shapes"}`],
      ["time", `${formatDuration(seconds)}: ${secondsPerStep.toPrecision(3)} s a step`],
      [
        "",
        `of it to begin ${formatDuration(startSeconds)}, for evaluation ${formatDuration(evaluationSeconds)}, to save ${formatDuration(savingSeconds)}`,
      ],
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
