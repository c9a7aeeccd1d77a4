/** `--judge model:… | openai:… | reward:… | rule:… | human:…` → a judge. */
import { readFile } from "node:fs/promises";
import { isLabelRow, type LabelRow, parseLabelRow } from "../../data/index.ts";
import { SparError } from "../../internal/errors.ts";
import { freeModel, loadModel } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { loadTokenizer } from "../../tokenizer/index.ts";
import type { Judge } from "../judge.ts";
import { loadModelReward } from "../model-reward.ts";
import { parseAddress, type OpenAIClientOptions } from "../openai-client.ts";
import { createRuleReward } from "../rules/index.ts";
import { createHumanJudge, type HumanLabels } from "./human-judge.ts";
import { parseLabelledAnswer, parseLabelledComparison } from "./labelled-row.ts";
import { readHumanLabels } from "./label-comparisons.ts";
import { createModelJudge, type ModelJudgeOptions } from "./model-judge.ts";
import { createOpenAIJudge } from "./openai-judge.ts";
import { createRewardJudge } from "./reward-judge.ts";
import { loadRubric } from "./rubric-file.ts";
import type { Rubric } from "./rubric.ts";

export type JudgeSpec =
  | { readonly kind: "model" | "reward" | "rule" | "human"; readonly value: string }
  | { readonly kind: "openai"; readonly value: string; readonly model: string };

export interface CreateJudgeOptions
  extends
    Pick<ModelJudgeOptions, "mode" | "judgements" | "sampling" | "batchSize" | "tieWithin">,
    Omit<OpenAIClientOptions, "address" | "model"> {
  /** Needed for `model:` and `reward:`. */
  readonly backend?: Backend | undefined;
  /** A model's name → its folder (hub ids are downloaded); absent: it is a folder. */
  readonly resolveModel?: ((name: string) => Promise<string>) | undefined;
  /** For `model:` and `openai:`; absent: the shipped additive rubric, or with `pairwise` the pairwise one. */
  readonly rubric?: Rubric | undefined;
  /** Show both answers at once instead of grading each. */
  readonly pairwise?: boolean | undefined;
}

const forms = "model:FOLDER-OR-ID, openai:URL#MODEL, reward:FOLDER, rule:NAME or human:labels.jsonl";

/** Throws `judge/invalid-spec`. */
export function parseJudgeSpec(spec: string): JudgeSpec {
  const match = /^(model|openai|reward|rule|human):(.+)$/s.exec(spec.trim());
  if (match === null) throw new SparError("judge/invalid-spec", `Judge: expected ${forms}, got ${JSON.stringify(spec)}`);
  const kind = match[1] as JudgeSpec["kind"];
  const value = match[2];
  if (kind !== "openai") return { kind, value };
  const at = value.indexOf("#");
  if (at <= 0 || at === value.length - 1) {
    throw new SparError("judge/invalid-spec", `Judge: expected openai:URL#MODEL, got ${JSON.stringify(spec)}`, {
      hint: "For example openai:http://localhost:8000/v1#qwen3",
    });
  }
  return { kind, value: value.slice(0, at), model: value.slice(at + 1) };
}

/**
 * What of a judge can be known without asking it anything: that its rule exists, and its model's folder. `human:` is left out, since
 * people may label what the run is yet to make. Throws `judge/invalid-spec`, `rewards/unknown-rule` and what `findModel` throws.
 */
export async function checkJudge(spec: string, findModel: (name: string) => Promise<unknown>): Promise<void> {
  const parsed = parseJudgeSpec(spec);
  if (parsed.kind === "rule") await createRuleReward(parsed.value);
  if (parsed.kind === "model" || parsed.kind === "reward") await findModel(parsed.value);
  if (parsed.kind === "openai") parseAddress(parsed.value);
}

/** What it loads is freed by the judge's `release`. Throws `judge/invalid-spec`, `judge/no-backend` and what its parts throw. */
export async function createJudge(spec: string, options: CreateJudgeOptions = {}): Promise<Judge> {
  const parsed = parseJudgeSpec(spec);
  const { tieWithin } = options;
  const hasText = parsed.kind === "model" || parsed.kind === "openai";
  if (!hasText && (options.rubric !== undefined || options.pairwise === true || options.mode === "expected")) {
    throw new SparError(
      "judge/invalid-option",
      `Judge ${spec}: a rubric, pairwise judging and expected scores are for model: and openai: only`,
    );
  }
  if (parsed.kind === "rule") return createRewardJudge(await createRuleReward(parsed.value), { name: spec, tieWithin });
  if (parsed.kind === "human") return createHumanJudge(await loadHumanLabels(parsed.value), { name: spec });
  if (parsed.kind === "openai") {
    if (options.mode === "expected")
      throw new SparError("judge/invalid-option", "Judge openai: expected scores need a model's logits", {
        hint: "Use model:FOLDER-OR-ID.",
      });
    const rubric = await chooseRubric(options);
    const judgements = options.judgements ?? defaultJudgements(rubric);
    return createOpenAIJudge({
      ...options,
      address: parsed.value,
      model: parsed.model,
      rubric,
      judgements,
      name: `openai:${parsed.model}`,
    });
  }

  const { backend, batchSize } = options;
  if (backend === undefined) throw new SparError("judge/no-backend", `createJudge: ${spec} needs a backend, got none`);
  const folder = (await options.resolveModel?.(parsed.value)) ?? parsed.value;
  if (parsed.kind === "reward") {
    return createRewardJudge(await loadModelReward(folder, backend, { name: spec, batchSize, encodeTexts: true }), { tieWithin });
  }
  const rubric = await chooseRubric(options);
  const tokenizer = await loadTokenizer(folder);
  const model = await loadModel(folder, backend);
  try {
    const { mode, sampling, judgements = defaultJudgements(rubric) } = options;
    const judge = createModelJudge({ model, tokenizer, backend, rubric, mode, sampling, judgements, batchSize, tieWithin, name: spec });
    return {
      ...judge,
      release() {
        judge.release?.();
        freeModel(model);
      },
    };
  } catch (error) {
    freeModel(model);
    throw error;
  }
}

async function chooseRubric({ rubric, pairwise }: CreateJudgeOptions): Promise<Rubric> {
  if (rubric === undefined) return loadRubric(pairwise === true ? "pairwise-v1" : "additive-v1");
  if (pairwise === true && rubric.kind === "grade")
    throw new SparError("judge/invalid-option", `Judge: pairwise needs a rubric that compares, and ${rubric.name} grades`);
  return rubric;
}

/** A comparison is asked in two orders as it is. */
const defaultJudgements = (rubric: Rubric): number => (rubric.kind === "grade" ? 3 : 1);

/** A file of judged rows, comparisons, graded answers and labels of `spar label` in any order. All bad lines come in one `data/bad-rows`. */
export async function loadHumanLabels(path: string): Promise<HumanLabels> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new SparError("data/unreadable", `Reading the labels ${path}: ${(cause as Error).message}`, { cause });
  }
  const comparisons: HumanLabels["comparisons"][number][] = [];
  const answers: HumanLabels["answers"][number][] = [];
  const labels: LabelRow[] = [];
  const problems: string[] = [];
  for (const [i, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === "") continue;
    try {
      const row = JSON.parse(line) as { readonly [column: string]: unknown };
      if (typeof row !== "object" || row === null || Array.isArray(row)) throw new SparError("data/bad-row", "expected a JSON object");
      if (isLabelRow(row)) labels.push(parseLabelRow(row));
      else if ("score" in row || "scores" in row) answers.push(parseLabelledAnswer(row));
      else comparisons.push(parseLabelledComparison(row));
    } catch (error) {
      problems.push(`  ${path}:${i + 1}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0)
    throw new SparError("data/bad-rows", [`Reading labels: ${problems.length} rows cannot be used`, ...problems.slice(0, 100)].join("\n"));
  const read = readHumanLabels(labels);
  comparisons.push(...read.comparisons);
  answers.push(...read.answers);
  if (comparisons.length + answers.length === 0) {
    const found = labels.length === 0 ? "is empty" : `holds ${labels.length} labels, and none compares or rates an answer`;
    throw new SparError("data/empty", `Reading labels: ${path} ${found}`);
  }
  return { comparisons, answers };
}
