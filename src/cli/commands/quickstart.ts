/** `spar quickstart`: what it says before, during and after the loop. */

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import { formatTable, type CommandIO } from "../output.ts";
import { readVersion } from "../version.ts";
import type { QuickstartOptions, QuickstartReport, StageName, StageResult } from "../../quickstart/index.ts";
import type { Tracker } from "../../tracking/index.ts";

type QuickstartArguments = {
  path: QuickstartPath;
  seed: number;
  /** Absent: runs/quickstart, or the next free runs/quickstart-N. */
  outputDir?: string;
};

const examples = ["spar quickstart", "spar quickstart --seed 3", "spar quickstart --path self-play"];

type QuickstartPath = QuickstartReport["path"];

type Stages = { readonly [S in StageName]?: { readonly title: string; readonly what: string } };

const rlhfStages: Stages = {
  model: { title: "model", what: "the shipped tiny language model (film reviews) completes 256 openings" },
  reward_model: { title: "reward model", what: "learns from sentences that people labelled, positive over negative" },
  ppo: { title: "PPO", what: "tunes the model to that reward, on other openings" },
  report: { title: "report", what: "the tuned model completes the same 256 openings; both sides are measured" },
};

const selfPlayStages: Stages = {
  model: { title: "model", what: "the shipped tiny language model (film reviews) completes openings: what it must not forget" },
  self_rewarding: { title: "self-rewarding", what: "it learns to grade (M1), then from its own grades (M2, M3)" },
  spin: { title: "SPIN", what: "beside it: people's sentences against the model's own" },
  report: { title: "report", what: "every model completes 256 openings not trained on, and is measured" },
};

const paths: { readonly [P in QuickstartPath]: { readonly stages: Stages; readonly headline: string; readonly minutes: string } } = {
  rlhf: {
    stages: rlhfStages,
    headline: "from a tiny language model to one tuned by PPO on human judgements",
    minutes: "two to three minutes",
  },
  "self-play": {
    stages: selfPlayStages,
    headline: "a tiny language model that grades itself, and learns from its grades",
    minutes: "three to five minutes",
  },
};

const shownSamples = 6;

/** Undefined when help was asked for and shown. */
export async function parseQuickstartArguments(args: string[], io: CommandIO): Promise<QuickstartArguments | undefined> {
  const summary =
    "The whole loop in a few minutes, on the shipped tiny model: a reward model learnt from sentences that people labelled, and PPO (rlhf); or a model that learns to grade itself, and from its grades (self-play). Then a report of before and after.";
  const commandline = await createCommandline("quickstart", summary, examples, io);
  commandline
    .addOption(commandline.createOption("--path <path>", "which loop").choices(["rlhf", "self-play"]).default("rlhf"))
    .option("--seed <n>", "seed of the random numbers", numberArgument("--seed", { integer: true, min: 0, max: 4294967295 }), 42)
    .option("--output-dir <folder>", "where to write (absent: runs/quickstart, or the next free runs/quickstart-N)");
  return parseCommandline(commandline, args) ? commandline.opts<QuickstartArguments>() : undefined;
}

/** runs/quickstart, or the first of runs/quickstart-2, -3 … that is not there or empty. */
export function findFreeFolder(parent = "runs"): string {
  for (let n = 1; ; n++) {
    const folder = join(parent, n === 1 ? "quickstart" : `quickstart-${n}`);
    if (!existsSync(folder) || readdirSync(folder).length === 0) return folder;
  }
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseQuickstartArguments(args, io);
  if (options === undefined) return;
  const { judgeReport, listFigures, runQuickstart, runSelfPlayQuickstart } = await import("../../quickstart/index.ts");
  const { createConsoleTracker } = await import("../../tracking/index.ts");
  const outputDir = options.outputDir ?? findFreeFolder();
  const { stages } = paths[options.path];
  introduce(io, options, outputDir);
  io.handleInterrupts("Stopping at the end of the step.");
  io.handleBrokenPipe("go-on");
  const runPath: (given: QuickstartOptions) => Promise<{ report: QuickstartReport; files: { html: string } }> =
    options.path === "rlhf" ? runQuickstart : runSelfPlayQuickstart;
  const { report, files } = await runPath({
    seed: options.seed,
    outputDir,
    version: readVersion(),
    signal: io.signal,
    openStage(stage) {
      const title = stages[stage]?.title ?? stage;
      io.note(`\n${io.paint(1, `${Object.keys(stages).indexOf(stage) + 1}/4 ${title}`)}`);
      const color = io.paint(1, "") !== "";
      return quieten(createConsoleTracker({ write: io.writeNote, isTerminal: io.isTerminal, width: io.width, color }), title);
    },
    closeStage: (_, seconds, result) => io.note(io.paint(2, `${describeResult(result, seconds)}`)),
  });
  if (io.json) io.row(report);
  const verdict = judgeReport(report);
  const figures = listFigures(report).map(({ name, before, after }) => [name, before, after]);
  io.say(`\n${formatTable(["256 openings not trained on", "before", "after"], figures)}`);
  io.say(`\n${renderSamples(report, io)}`);
  io.say(`\n${io.paint(1, verdict.headline)}\n${wrap(verdict.reason, io.width())}`);
  io.say(`\nreport: ${io.paint(36, files.html)} (and .md, .json beside it); ${report.seconds.toFixed(0)} s of work`);
  io.say(`\n${renderNextSteps(options.path, outputDir, options.seed)}`);
}

function introduce(io: CommandIO, { path, seed }: QuickstartArguments, outputDir: string): void {
  const { stages, headline, minutes } = paths[path];
  io.note(io.paint(1, `spar quickstart: ${headline}`));
  io.note(`Takes ${minutes} on two cores; needs no network.\n`);
  for (const [i, { title, what }] of Object.values(stages).entries()) io.note(`  ${i + 1}. ${title.padEnd(14)} ${what}`);
  io.note(`\nSeed ${seed}; everything is written to ${outputDir}`);
}

/** Bars and evaluations of a stage under its own name; what trainers say about data and files is in the stage's events.jsonl. */
function quieten(tracker: Tracker, title: string): Tracker {
  return {
    metrics: (row) => tracker.metrics(row),
    samples: () => {},
    event(event) {
      if (event.level === "warning" || event.level === "error") tracker.event(event);
    },
    progress(progress) {
      if (progress.stage === "training" || progress.stage === "sampling")
        tracker.progress({ ...progress, stage: progress.stage === "training" ? title : progress.stage });
      // The stages of self-play name the model that they make.
      else if (/^(M\d+|iteration \d+): /.test(progress.stage)) tracker.progress(progress);
    },
    close: (status, error) => tracker.close(status, error),
  };
}

function describeResult({ rewardModel, judge, samples }: StageResult, seconds: number): string {
  const parts: string[] = [];
  if (samples !== undefined && samples.length > 0) parts.push(`it writes: “${samples[0].prompt}${samples[0].text}”`);
  if (rewardModel !== undefined)
    parts.push(
      `right on ${(100 * rewardModel.heldout_accuracy).toFixed(0)} % of ${rewardModel.heldout_pairs} held-out comparisons (learnt from ${rewardModel.train_pairs})`,
    );
  if (judge !== undefined)
    parts.push(
      `M1 grades ${judge.heldout_n} sentences that it has not seen as people did in ${(100 * judge.heldout_accuracy).toFixed(0)} %`,
    );
  return [...parts, `${seconds.toFixed(0)} s`].join("  ");
}

/** Openings with both completions: side by side where the terminal is wide enough, else below each other. */
export function renderSamples({ samples }: Pick<QuickstartReport, "samples">, io: Pick<CommandIO, "width" | "paint">): string {
  const width = Math.min(io.width(), 140);
  const column = Math.floor((width - 3) / 2);
  const lines: string[] = [];
  const side = (prompt: string, text: string): string[] => wrap(`${prompt}${text}`.replaceAll(/\s+/g, " ").trim(), column).split("\n");
  lines.push(io.paint(1, `${"before".padEnd(column)}   after`));
  for (const sample of samples.slice(0, shownSamples)) {
    const [left, right] = [side(sample.prompt, sample.before), side(sample.prompt, sample.after)];
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      const pad = " ".repeat(Math.max(0, column - [...(left[i] ?? "")].length));
      lines.push(`${io.paint(2, left[i] ?? "")}${pad}   ${right[i] ?? ""}`.trimEnd());
    }
    lines.push("");
  }
  return lines.join("\n").trimEnd();
}

/** Breaks at spaces; a word longer than the line is cut. */
export function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return [...lines, line].join("\n");
}

function renderNextSteps(path: QuickstartPath, outputDir: string, seed: number): string {
  if (path === "self-play") return renderSelfPlaySteps(outputDir, seed);
  const folder = relative(process.cwd(), outputDir) || outputDir;
  const ppo = join(folder, "ppo");
  const steps = [
    ["let it write", `npx spar generate --model ${ppo} --prompt "the film"`],
    ["another seed, other numbers", `npx spar quickstart --seed ${seed + 1}`],
    ["a longer leash", `npx spar ppo --config ${join(ppo, "config.yaml")} --kl_coef 0.02 --output_dir runs/longer-leash`],
    [
      "your own rule beside the reward",
      `npx spar ppo --config ${join(ppo, "config.yaml")} --reward_funcs rule:length --output_dir runs/with-a-rule`,
    ],
  ];
  return ["next:", ...steps.map(([what, command]) => `  # ${what}\n  ${command}`)].join("\n");
}

function renderSelfPlaySteps(outputDir: string, seed: number): string {
  const folder = relative(process.cwd(), outputDir) || outputDir;
  const run = join(folder, "self-rewarding");
  const steps = [
    ["let it write", `npx spar generate --model ${run} --prompt "the film"`],
    ["what it chose between, and how it graded", `head -n 2 ${join(run, "M2", "judgements.jsonl")}`],
    [
      "the same loop, its judge frozen at M1",
      `npx spar self-rewarding --config ${join(run, "config.yaml")} --judge frozen --output_dir runs/frozen-judge`,
    ],
    ["another seed, other numbers", `npx spar quickstart --path self-play --seed ${seed + 1}`],
    ["the other path", `npx spar quickstart --seed ${seed}`],
  ];
  return ["next:", ...steps.map(([what, command]) => `  # ${what}\n  ${command}`)].join("\n");
}
