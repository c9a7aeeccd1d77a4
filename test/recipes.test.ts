/** Recipes are data that people start from: each must say what it is for, be valid, and do what it says. */
import { mkdirSync, readdirSync, readFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Method, parseRecipe } from "../src/recipes/index.ts";
import { type HubServer, startHubServer } from "./fixtures/hub-server.ts";
import { openScratchClone, root } from "./markdown-commands.ts";
import { meanOf, readCurve, readMetrics } from "./run-page.ts";

const recipes = readdirSync(join(root, "recipes"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => `recipes/${name}`)
  .sort();

/** The method of the command in a recipe's header that names the recipe itself. */
function methodOf(name: string): string | undefined {
  const header = /^(#.*\n)+/.exec(readFileSync(join(root, name), "utf8"))?.[0] ?? "";
  return new RegExp(`^#.*spar ([\\w-]+) --config ${name.replaceAll(".", "\\.")}`, "m").exec(header)?.[1];
}

describe("every recipe", () => {
  test("is found", () => expect(recipes.length).toBeGreaterThanOrEqual(10));

  for (const name of recipes) {
    test(`${name} says in its header how it is run, and is valid`, async () => {
      const method = methodOf(name);
      expect(method, "a header comment with: spar METHOD --config FILE").toBeDefined();
      // Their data are to be fetched or made first.
      const recipe = await parseRecipe({ method: method as Method, yaml: { text: readFileSync(join(root, name), "utf8"), file: name } });
      // Every key here was written on purpose: nothing that means nothing.
      expect([recipe.ignored, recipe.notes]).toEqual([[], []]);
      expect(recipe.config.output_dir).toMatch(/^runs\//);
    });
  }

  test("those of ours tell what is needed, how to change a key and what to expect", () => {
    const lacking = recipes
      .filter((name) => !name.startsWith("recipes/quickstart/"))
      .filter(
        (name) =>
          !["# Needed first:", "# Run it:", "# Another key:", "# Expect:"].every((part) =>
            readFileSync(join(root, name), "utf8").includes(part),
          ),
      );
    expect(lacking).toEqual([]);
  });
});

test("the data of recipes/tiny is what its program makes", async () => {
  const folder = join(root, "recipes/tiny/data");
  const before = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]);
  const clone = openScratchClone();
  try {
    mkdirSync(join(clone.folder, "data"));
    copyFileSync(join(folder, "make.mjs"), join(clone.folder, "data/make.mjs"));
    expect((await clone.run("node data/make.mjs", 20_000)).code).toBe(0);
    expect(readdirSync(join(clone.folder, "data")).map((name) => [name, readFileSync(join(clone.folder, "data", name), "utf8")])).toEqual(
      before,
    );
  } finally {
    clone.remove();
  }
});

// pretrain.yaml and sft.yaml of recipes/tiny are run by test/walkthroughs/.
describe.skipIf(process.platform === "win32")("recipes/tiny", () => {
  let clone: ReturnType<typeof openScratchClone>;
  beforeAll(() => {
    clone = openScratchClone();
  });
  afterAll(() => clone.remove());

  test("reward.yaml tells praise from blame", { timeout: 300_000 }, async () => {
    const { code, output } = await clone.run("npx spar reward --config recipes/tiny/reward.yaml --num_train_epochs 1", 280_000);
    expect(code, output.slice(-4000)).toBe(0);
    expect(readCurve(join(clone.folder, "runs/tiny-reward"), "eval_accuracy").at(-1)).toBeGreaterThan(0.95);
  });

  test("dpo.yaml begins at ln 2 and tells praise from blame", { timeout: 300_000 }, async () => {
    const { code, output } = await clone.run("npx spar dpo --config recipes/tiny/dpo.yaml --num_train_epochs 1", 280_000);
    expect(code, output.slice(-4000)).toBe(0);
    const folder = join(clone.folder, "runs/tiny-dpo");
    expect(readCurve(folder, "eval_rewards/accuracies").at(-1)).toBeGreaterThan(0.95);
    expect(readCurve(folder, "loss")[0]).toBeLessThan(Math.LN2 + 1e-6);
  });

  test("ppo.yaml raises that reward", { timeout: 300_000 }, async () => {
    // The first ten updates of sixteen: by then it has learnt most.
    const { code, output } = await clone.run("npx spar ppo --config recipes/tiny/ppo.yaml --total_episodes 640", 280_000);
    expect(code, output.slice(-4000)).toBe(0);
    const scores = readCurve(join(clone.folder, "runs/tiny-ppo"), "objective/scores");
    expect(scores.length).toBe(10);
    expect(meanOf(scores.slice(-3))).toBeGreaterThan(meanOf(scores.slice(0, 3)) + 0.3);
  });
});

describe.skipIf(process.platform === "win32")("recipes/gpt2-label-studio", () => {
  let clone: ReturnType<typeof openScratchClone>;
  let hub: HubServer;
  beforeAll(async () => {
    // The real id, and behind it GPT-2's layout at small size.
    hub = await startHubServer({ models: { "openai-community/gpt2": join(root, "test/fixtures/parity/models/gpt2") } });
    clone = openScratchClone({ HF_ENDPOINT: hub.url, HF_TOKEN: "", HF_HUB_OFFLINE: "" });
    mkdirSync(join(clone.folder, "data"));
    copyFileSync(join(root, "test/fixtures/label-studio/export.json"), join(clone.folder, "data/label-studio.json"));
  });
  afterAll(async () => {
    clone.remove();
    await hub.close();
  });
  const run = async (command: string): Promise<string> => {
    const { code, output } = await clone.run(command, 280_000);
    expect(code, output.slice(-4000)).toBe(0);
    return output;
  };

  test("answers become tasks", { timeout: 300_000 }, async () => {
    await run("head -n 3 recipes/gpt2-label-studio/prompts.jsonl > prompts.jsonl");
    await run("npx spar generate --model openai-community/gpt2 --prompts prompts.jsonl --n 2 --max-new-tokens 4 --json > answers.jsonl");
    const tasks = JSON.parse(await run("node recipes/gpt2-label-studio/make-tasks.mjs answers.jsonl")) as {
      prompt: string;
      answer1: string;
      answer2: string;
    }[];
    expect(tasks.map(({ prompt }) => prompt)).toEqual([
      "How does bread rise?",
      "Why do cats purr?",
      "What should I read on a long train ride?",
    ]);
    for (const { answer1, answer2 } of tasks) expect([typeof answer1, typeof answer2]).toEqual(["string", "string"]);
  });

  test("reward.yaml learns from an export, without what nobody decided", { timeout: 300_000 }, async () => {
    const output = await run("npx spar reward --config recipes/gpt2-label-studio/reward.yaml --max_length 60 --learning_rate 1e-3");
    expect(output).toContain("tasks of a Label Studio export");
    expect(output).toContain("2 of 10 rows were left out (1: without a choice between the answers; 1: annotators are divided)");
    const rows = readMetrics(join(clone.folder, "runs/gpt2-reward"));
    expect(rows.length).toBe(10); // 8 pairs in batches of 4, 5 times over
    expect(rows.at(-1)?.["accuracy"]).toBeGreaterThanOrEqual(0.75);
  });

  test("ppo.yaml runs on the export's prompts, and trains the upper layers only", { timeout: 300_000 }, async () => {
    await run(
      "npx spar ppo --config recipes/gpt2-label-studio/ppo.yaml --total_episodes 16 --per_device_train_batch_size 2 --response_length 6 --num_layers_unfrozen 1",
    );
    const folder = join(clone.folder, "runs/gpt2-ppo");
    expect(readCurve(folder, "objective/scores").length).toBe(2);
    expect(JSON.parse(readFileSync(join(folder, "config.json"), "utf8"))).toMatchObject({
      model_type: "gpt2",
      architectures: ["GPT2LMHeadModel"],
    });
  });
});
