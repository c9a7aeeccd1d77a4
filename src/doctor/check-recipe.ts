/** Everything that can be told of a recipe before it is run. */
import { checkOutputDirectory, type ResolvedRecipe } from "../recipes/index.ts";
import type { Backend } from "../runtime/index.ts";
import { describeMachine } from "../runtime/index.ts";
import { checkRollout } from "./check-rollout.ts";
import { checkSettings } from "./check-settings.ts";
import { checkTokenizer } from "./check-tokenizer.ts";
import { findingOfError, type Finding } from "./finding.ts";
import { forecastRun, planRun, type Forecast } from "./forecast.ts";
import { openRecipe, type OpenedRecipe } from "./open-recipe.ts";
import { pullProjects, type PulledProjects } from "./pull-projects.ts";
import { surveyData, type Survey } from "./survey-data.ts";

export interface RecipeCheck {
  readonly findings: readonly Finding[];
  /** Undefined where it was not asked for, or where something stands in the way. */
  readonly forecast: Forecast | undefined;
}

export interface CheckRecipeOptions {
  readonly backend: Backend;
  /** Trains a few steps to measure time and memory; default true. */
  readonly trial?: boolean;
  /** What a program that runs the recipe takes to start: counted into the forecast; default 0. */
  readonly programSeconds?: number;
  /** Of Label Studio, where a data set is a live project. */
  readonly labelStudioToken?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onStage?: (stage: string) => void;
}

/** Never throws for what the training would throw: that is a finding. Writes nothing but temporary files. */
export async function checkRecipe(asked: ResolvedRecipe, options: CheckRecipeOptions): Promise<RecipeCheck> {
  if (asked.method === "self-rewarding" || asked.method === "spin")
    return { findings: [...checkFolder(asked), describeStages(asked.method)], forecast: undefined };
  const findings: Finding[] = [];
  let forecast: Forecast | undefined;
  let opened: OpenedRecipe | undefined;
  let survey: Survey | undefined;
  let pulled: PulledProjects | undefined;
  try {
    if (asked.config.datasets.some(({ path }) => path === "label-studio")) {
      options.onStage?.("pulling labels from Label Studio");
      const { labelStudioToken: token, signal = new AbortController().signal } = options;
      pulled = await pullProjects(asked, { token, signal });
    }
    const recipe = pulled?.recipe ?? asked;
    options.onStage?.("reading model and data");
    const started = performance.now();
    opened = await openRecipe(recipe);
    survey = await surveyData(recipe, opened, options.signal);
    const dataSeconds = (options.programSeconds ?? 0) + (performance.now() - started) / 1000;
    const { tokenizer, sizes, folder } = opened;
    findings.push(
      ...checkTokenizer({ method: recipe.method, tokenizer, vocabSize: sizes.vocabSize, isChat: survey.isChat }),
      ...survey.findings,
      ...checkFolder(recipe),
    );
    const plan = planRun(recipe, survey, opened);
    findings.push(...checkSettings(recipe, plan.steps));
    const isSound = findings.every(({ level }) => level !== "error");
    if (options.trial !== false && isSound) {
      options.onStage?.("training a few steps to measure");
      forecast = await forecastRun(recipe, opened, survey, plan, { ...options, dataSeconds });
      findings.push(...checkFit(forecast));
    }
    if (recipe.method === "ppo" && folder !== undefined && isSound) {
      options.onStage?.("sampling and scoring");
      findings.push(...(await checkRollout(recipe, { backend: options.backend, folder, tokenizer, prompts: survey.prompts })));
    }
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    findings.push(findingOfError(error));
  } finally {
    await survey?.close();
    await opened?.dataset.close();
    await pulled?.release();
  }
  const rank = { error: 0, warning: 1, note: 2 };
  const distinct = findings.filter(
    (finding, i) => findings.findIndex(({ code, found }) => code === finding.code && found === finding.found) === i,
  );
  return { findings: distinct.sort((a, b) => rank[a.level] - rank[b.level]), forecast };
}

/** A warning, as people look into recipes that have been run. */
function checkFolder({ config }: ResolvedRecipe): Finding[] {
  try {
    checkOutputDirectory(config.output_dir, { resume: config.resume_from_checkpoint !== false, overwrite: config.overwrite_output_dir });
    return [];
  } catch (error) {
    return [{ ...findingOfError(error), level: "warning" }];
  }
}

function describeStages(method: string): Finding {
  return {
    code: "doctor/stages",
    level: "note",
    found: `${method} is a chain of samplings and trainings`,
    why: "what it will train on does not exist yet, so only the recipe's keys and the files that it names were checked",
    action: "start it with --num_iterations 1 and few prompts_per_iteration: metrics.jsonl then says how long each part takes",
  };
}

/** A run of more than so many days is hardly meant. */
const longRun = 2;

function checkFit({ peakBytes, seconds, steps, secondsPerStep }: Forecast): Finding[] {
  const findings: Finding[] = [];
  const days = seconds / 86_400;
  if (days > longRun) {
    findings.push({
      code: "doctor/time",
      level: "warning",
      found: `the run takes ${days.toFixed(days < 10 ? 1 : 0)} days on this machine: ${steps} steps of ${secondsPerStep.toPrecision(3)} s`,
      why: "few people mean to wait that long",
      action: "lower max_steps or num_train_epochs, shorten the rows, take a smaller model or fewer rows",
    });
  }
  const { memoryBytes } = describeMachine();
  if (peakBytes < 0.9 * memoryBytes) return findings;
  const gigabytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return [
    ...findings,
    {
      code: "doctor/memory-tight",
      level: "warning",
      found: `the run takes ${gigabytes(peakBytes)} of this machine's ${gigabytes(memoryBytes)} GiB`,
      why: "the system may end the process, or swap",
      action: "lower per_device_train_batch_size and raise gradient_accumulation_steps, or set gradient_checkpointing: true",
    },
  ];
}
