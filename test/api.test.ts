/** What programs rely on: exported names and error codes. A change here belongs into CHANGELOG.md. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

function readSources(folder: string, ending: RegExp): string {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => ending.test(path) && !path.endsWith(".test.ts"))
    .map((path) => readFileSync(join(root, folder, path), "utf8"))
    .join("\n");
}

/** Everything that `import … from "spar"` can name (types aside), in order of the alphabet. */
const publicNames: string[] = [
  "SparError",
  "adamwGraph",
  "adamwScalars",
  "batchRows",
  "batchScoredRows",
  "bootstrapInterval",
  "bradleyTerry",
  "clipFactor",
  "clippedPolicyLoss",
  "clippedValueLoss",
  "compareResults",
  "computePerplexity",
  "computeTargets",
  "configSchemas",
  "copyModel",
  "countStates",
  "createAdaptiveKLController",
  "createConsoleTracker",
  "createCpuBackend",
  "createDataset",
  "createFanOut",
  "createFixedKLController",
  "createFullSequence",
  "createGenerator",
  "createJudge",
  "createModelJudge",
  "createOpenAIJudge",
  "createOptimizer",
  "createParameters",
  "createRewardJudge",
  "createRewards",
  "createScorer",
  "createStepProgram",
  "createTensorBoardTracker",
  "crossEntropy",
  "dpoLoss",
  "estimateAdvantages",
  "estimateTokenKL",
  "evaluateModels",
  "freeModel",
  "initializeModel",
  "intervalOfDifference",
  "intervalOfShare",
  "learningRateAt",
  "listRules",
  "loadDataset",
  "loadModel",
  "loadRecipe",
  "loadResult",
  "loadRubric",
  "loadTokenizer",
  "measureAgreement",
  "measureRewardAccuracy",
  "measureSentiment",
  "measureTexts",
  "openRunDirectory",
  "openWeights",
  "preparePairs",
  "preparePrompts",
  "prepareTexts",
  "pretrain",
  "profileOf",
  "renderEvaluationMarkdown",
  "resolveModel",
  "runRecipe",
  "saveModel",
  "saveTokenizer",
  "saveWeights",
  "scoreHead",
  "scoreTokens",
  "selectTrainables",
  "summariseComparisons",
  "summariseGrades",
  "temperedLogprobs",
  "tensor",
  "trainBPE",
  "trainDPO",
  "trainPPO",
  "trainReward",
  "trainSFT",
  "trainSPIN",
  "trainSelfRewarding",
  "valueHead",
  "whiten",
];

test("the package exports these names and no others", async () => {
  const module = (await import(join(root, "src/index.ts"))) as object;
  expect(Object.keys(module).sort(), "changed on purpose? then here and in CHANGELOG.md").toEqual(publicNames);
});

describe("error codes", () => {
  const source = readSources("src", /\.ts$/) + readSources("scripts", /\.mjs$/);
  const page = readFileSync(join(root, "docs/errors.md"), "utf8");
  const codesOf = (text: string): Set<string> => new Set([...text.matchAll(/`([a-z-]+\/[a-z0-9-]+)`/g)].map((match) => match[1] as string));
  const documented = codesOf(page);
  // What the doctor finds in a recipe is listed where the doctor is explained.
  const findings = codesOf(readFileSync(join(root, "docs/doctor.md"), "utf8"));

  test("every code that is thrown or reported is in docs/errors.md", () => {
    const used = [...source.matchAll(/(?:(?:Spar|Setup)Error\(\s*|\bcode: )"([a-z-]+\/[a-z0-9-]+)"/g)].map((match) => match[1]);
    expect(used.length).toBeGreaterThan(50);
    expect([...new Set(used)].filter((code) => !documented.has(code) && !findings.has(code)).sort()).toEqual([]);
  });

  test("docs/errors.md names no code that is gone", () => {
    // bootstrap.mjs writes `setup/${reason}` for what npm says, so the reason alone counts there.
    const isThere = (code: string): boolean =>
      source.includes(`"${code}"`) || source.includes(code + ":") || (code.startsWith("setup/") && source.includes(`"${code.slice(6)}"`));
    expect([...documented].filter((code) => !isThere(code as string))).toEqual([]);
  });
});
