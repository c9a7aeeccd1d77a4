/** Both methods, whole, on the embedded model: what they read and write, in which order, and what a second run does. */
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../internal/rng.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { openRunDirectory, type MetricsRow, type RunEvent, type SampleRow } from "../tracking/index.ts";
import { selfRewardingConfigSchema, spinConfigSchema, type TrainingContext } from "../trainers/configs.ts";
import { openPolicy, sampleAnswers } from "./policy.ts";
import { trainSelfRewarding } from "./self-rewarding.ts";
import { summarizeMargins, trainSPIN } from "./spin.ts";

const model = fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url));
const backend = createCpuBackend();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-self-play-"));
});
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true });
});

interface Log {
  readonly rows: MetricsRow[];
  readonly events: RunEvent[];
  readonly samples: SampleRow[];
}

function createContext(more: Partial<TrainingContext> = {}): TrainingContext & { log: Log } {
  const log: Log = { rows: [], events: [], samples: [] };
  return {
    log,
    backend,
    resume: false,
    signal: new AbortController().signal,
    tracker: {
      metrics: (row) => void log.rows.push(row),
      samples: (rows) => void log.samples.push(...rows),
      event: (event) => void log.events.push(event),
      progress() {},
      async close() {},
    },
    ...more,
  };
}

function put(name: string, rows: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}
const read = <T>(...path: string[]): T[] =>
  readFileSync(join(...path), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
/** With the run's own files, as every run has them. */
function withFiles<T extends TrainingContext>(context: T, root: string): T {
  const directory = openRunDirectory(root, { method: "test", version: "0", configYaml: "", keepRows: context.resume !== false });
  context.tracker.metrics = (row) => directory.metrics(row);
  context.tracker.samples = (rows) => directory.samples(rows);
  context.resumedAt = (step) => directory.truncateAfter(step);
  return context;
}
const stagesRun = ({ events }: Log): string[] => events.filter(({ code }) => code === "stage/started").map(({ message }) => message);
const weights = (...path: string[]): Buffer => readFileSync(join(...path, "model.safetensors"));

const training = {
  model_name_or_path: model,
  max_length: 48,
  max_new_tokens: 8,
  generation_batch_size: 8,
  per_device_train_batch_size: 8,
  num_train_epochs: 1,
  gradient_checkpointing: false,
  logging_steps: 1,
  seed: 7,
};

describe("self-rewarding", () => {
  const rubric = `---
name: tiny
kind: grade
range: [0, 1]
answers: { " bad": 0, " good": 1 }
---
{prompt}{answer}
Verdict:
`;
  const prompts = Array.from({ length: 20 }, (_, i) => ({ prompt: `the film number ${i} is` }));
  let config: ReturnType<typeof selfRewardingConfigSchema.parse>;
  let root: string;
  let first: Log;

  const make = (name: string, more: object = {}): typeof config =>
    selfRewardingConfigSchema.parse({
      ...training,
      dataset_name: put("prompts.jsonl", prompts),
      num_eval_prompts: 4,
      eft_dataset: put("labels.jsonl", [
        { answer: "a great film .", label: true },
        { answer: "a dull film .", label: false },
      ]),
      ift_dataset: put("ift.jsonl", [{ prompt: "the film", completion: " is good ." }]),
      sft_learning_rate: 1e-4,
      judge_rubric: join(folder, "rubric.md"),
      judge_mode: "expected",
      num_candidates: 3,
      temperature: 1,
      top_p: 1,
      learning_rate: 1e-4,
      outside_judge: "rule:sentiment",
      output_dir: join(folder, name),
      ...more,
    });

  beforeAll(async () => {
    writeFileSync(join(folder, "rubric.md"), rubric);
    config = make("rewarding");
    root = config.output_dir;
    const context = createContext();
    const outcome = await trainSelfRewarding(config, context);
    first = context.log;
    expect(outcome).toMatchObject({ status: "finished", outputDir: root });
    expect(outcome.steps).toBe(1 + 2 + 2);
  }, 120_000);

  test("leaves a folder for each model, with data that people can read", () => {
    expect(readdirSync(root).sort()).toEqual(
      ["M1", "M2", "M3", "config.json", "data", "model.safetensors", "tokenizer.json", "tokenizer_config.json"].sort(),
    );
    for (const name of ["M2", "M3"]) {
      expect(read(root, name, "prompts.jsonl")).toHaveLength(16);
      const judged = read<{ prompt: string; answers: { text: string; score: number }[] }>(root, name, "judgements.jsonl");
      const pairs = new Map(
        read<{ prompt: string; chosen: string; rejected: string }>(root, name, "pairs.jsonl").map((pair) => [pair.prompt, pair]),
      );
      for (const { prompt, answers } of judged) {
        const scores = answers.filter(({ text }) => text.trim() !== "").map(({ score }) => score);
        const pair = pairs.get(prompt);
        if (pair === undefined) continue;
        expect(answers.find(({ text }) => text === pair.chosen)?.score).toBe(Math.max(...scores));
        expect(answers.find(({ text }) => text === pair.rejected)?.score).toBe(Math.min(...scores));
      }
    }
    expect(read(root, "M1", "eft.jsonl")[0]).toEqual({ prompt: "a great film .\nVerdict:", completion: " good" });
    expect(weights(root).equals(weights(root, "M3", "model"))).toBe(true);
    expect(weights(root, "M2", "model").equals(weights(root, "M3", "model"))).toBe(false);
  });

  test("prompts set apart are not learnt from", () => {
    const apart = read<{ prompt: string }>(root, "data", "eval.jsonl").map(({ prompt }) => prompt);
    expect(apart).toHaveLength(4);
    for (const { prompt } of read<{ prompt: string }>(root, "M3", "prompts.jsonl")) expect(apart).not.toContain(prompt);
  });

  test("each iteration has data of its own, and starts from the model before it, which is the reference: ln 2 at step 0", () => {
    expect(readFileSync(join(root, "M2", "candidates.jsonl"), "utf8")).not.toBe(readFileSync(join(root, "M3", "candidates.jsonl"), "utf8"));
    for (const [name, before] of [
      ["M2", "M1"],
      ["M3", "M2"],
    ]) {
      expect(readFileSync(join(root, name, "model", "config.yaml"), "utf8")).toContain(
        `model_name_or_path: ${join(root, before, "model")}\n`,
      );
      expect(read<MetricsRow>(root, name, "model", "metrics.jsonl")[0]["loss"]).toBeCloseTo(Math.LN2, 6);
    }
  });

  test("says of each model how long, how varied and how good its answers are, and where the time went", () => {
    expect(first.rows.map(({ step }) => step)).toEqual([1, 2, 3]);
    for (const row of first.rows.slice(1)) {
      expect(Object.keys(row)).toEqual(
        expect.arrayContaining([
          "pairs",
          "ties",
          "judge/mean_score",
          "answers/mean_length",
          "answers/distinct_2",
          "outside/mean_score",
          "outside/win_rate",
          "memory_mb",
        ]),
      );
      expect(row["share/generation"] + row["share/judging"] + row["share/training"]).toBeCloseTo(1, 9);
      expect(row["loss"]).toBeUndefined();
    }
    expect(first.samples.map(({ step }) => step)).toEqual([
      ...new Array<number>(4).fill(1),
      ...new Array<number>(4).fill(2),
      ...new Array<number>(4).fill(3),
    ]);
  });

  test("a second run does nothing; one with another beta does only what follows from it", { timeout: 60_000 }, async () => {
    const again = createContext({ resume: true });
    await trainSelfRewarding(config, again);
    expect(stagesRun(again.log)).toEqual([]);
    expect(again.log.rows).toEqual(first.rows);

    const other = join(folder, "other-beta");
    cpSync(root, other, { recursive: true });
    const context = createContext({ resume: true });
    await trainSelfRewarding({ ...config, output_dir: other, beta: 0.2 }, context);
    // The model's new folder has the same content as the old one: M1 and M2's data stand.
    expect(stagesRun(context.log)[0]).toBe("M2/training");
    expect(stagesRun(context.log)).toContain("M3/candidates");
  });

  test("an edited file is taken up, and only what comes after it is done again", { timeout: 60_000 }, async () => {
    const edited = join(folder, "edited");
    cpSync(root, edited, { recursive: true });
    const judgements = join(edited, "M3", "judgements.jsonl");
    const rows = read<{ answers: { score: number | null }[] }>(judgements);
    rows[0].answers.forEach((answer) => (answer.score = 1));
    writeFileSync(judgements, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const context = createContext({ resume: true });
    await trainSelfRewarding({ ...config, output_dir: edited }, context);
    expect(stagesRun(context.log)).toEqual(["M3/pairs", "M3/training", "M3/watch"]);
    expect(read(edited, "M3", "pairs.jsonl").length).toBe(read(root, "M3", "pairs.jsonl").length - 1);
  });

  test("a file edited into another shape is named by its line, and is no bug", { timeout: 60_000 }, async () => {
    const mangled = join(folder, "mangled");
    cpSync(root, mangled, { recursive: true });
    const path = join(mangled, "M2", "judgements.jsonl");
    const resume = (): Promise<unknown> => trainSelfRewarding({ ...config, output_dir: mangled }, createContext({ resume: true }));
    const rows = read<{ prompt: string; answers: unknown }>(path);
    for (const [answers, found] of [
      ["no", 'answers: expected a list of {text, tokens, score, judgements, retries}, got "no"'],
      [[{ text: "x", tokens: 1, score: 1 }], "answers[0].judgements: expected a list of numbers or nulls, got nothing"],
    ]) {
      writeFileSync(path, [rows[0], { ...rows[1], answers }].map((row) => `${JSON.stringify(row)}\n`).join(""));
      await expect(resume()).rejects.toMatchObject({ code: "self-play/bad-rows", message: `${path}:2: ${found as string}` });
    }
  });

  test("killed anywhere, it comes to the same files", { timeout: 120_000 }, async () => {
    for (const at of ["M2/candidates", "M3/training"]) {
      const killed = join(folder, `killed-${at.replace("/", "-")}`);
      const controller = new AbortController();
      const context = withFiles(createContext({ signal: controller.signal }), killed);
      const event = context.tracker.event.bind(context.tracker);
      context.tracker.event = (told) => {
        event(told);
        if (told.code === "stage/started" && told.message === at) controller.abort();
      };
      await expect(trainSelfRewarding({ ...config, output_dir: killed }, context)).rejects.toMatchObject({ code: "run/interrupted" });
      // Twice: the second time there is nothing to do.
      for (let i = 0; i < 2; i++)
        await trainSelfRewarding({ ...config, output_dir: killed }, withFiles(createContext({ resume: true }), killed));
      const stepsOf = (name: string): number[] => read<{ step: number }>(killed, name).map(({ step }) => step);
      expect(stepsOf("metrics.jsonl")).toEqual([1, 2, 3]);
      expect(stepsOf("samples.jsonl")).toEqual(first.samples.map(({ step }) => step));
      for (const name of ["M2/candidates.jsonl", "M2/pairs.jsonl", "M3/judgements.jsonl", "M3/pairs.jsonl"])
        expect(readFileSync(join(killed, name), "utf8")).toBe(readFileSync(join(root, name), "utf8"));
      expect(weights(killed).equals(weights(root))).toBe(true);
      rmSync(killed, { recursive: true });
    }
  });

  test("a reward takes the judge's place, and stops where the outside judge sees no gain", { timeout: 60_000 }, async () => {
    const rewarded = make("rewarded", {
      eft_dataset: null,
      ift_dataset: null,
      reward_funcs: ["rule:length"],
      num_iterations: 3,
      stop_length_growth: 1.000001,
      learning_rate: 1e-3,
    });
    const context = createContext();
    await trainSelfRewarding(rewarded, context);
    const judged = read<{ answers: { text: string; score: number }[] }>(rewarded.output_dir, "M2", "judgements.jsonl");
    const [{ answers }] = judged;
    expect(new Set(answers.map(({ score }) => score)).size).toBeGreaterThan(1);
    // Without any examples M1 is M0.
    expect(existsSync(join(rewarded.output_dir, "M1", "model"))).toBe(false);
    const lengths = context.log.rows.map((row) => row["answers/length_growth"]);
    const stopped = context.log.events.filter(({ code }) => code === "self-play/stopped");
    expect(stopped.length).toBe(lengths.some((growth) => growth > 1.000001) ? 1 : 0);
  });

  test("people who compared the candidates decide: judged by a rule first, then by their labels", { timeout: 60_000 }, async () => {
    const more = { eft_dataset: null, ift_dataset: null, num_iterations: 1, num_candidates: 2, outside_judge: null };
    const begun = make("people", { ...more, judge: "rule:length" });
    await trainSelfRewarding(begun, createContext());
    const rows = read<{ prompt: string; answers: { text: string }[] }>(begun.output_dir, "M2", "candidates.jsonl");
    const labels = rows.map(({ prompt, answers: [a, b] }) => ({ prompt, a: a.text, b: b.text, labels: ["b"] }));
    const context = createContext({ resume: true });
    await trainSelfRewarding(make("people", { ...more, judge: `human:${put("labelled.jsonl", labels)}` }), context);
    expect(stagesRun(context.log)[0]).toBe("M2/judgements");
    const pairs = read<{ prompt: string; chosen: string; rejected: string }>(begun.output_dir, "M2", "pairs.jsonl");
    const wanted = labels.filter(({ a, b }) => a !== b && a.trim() !== "" && b.trim() !== "");
    expect(pairs.map(({ prompt, chosen, rejected }) => ({ prompt, a: rejected, b: chosen, labels: ["b"] }))).toEqual(wanted);
  });

  test("a judge that gives all the same grade leaves no pairs, and says so", { timeout: 60_000 }, async () => {
    const module = join(folder, "same.mjs");
    writeFileSync(module, "export default (rows) => rows.map(() => 3);\n");
    const flat = make("flat", { eft_dataset: null, ift_dataset: null, reward_funcs: [module] });
    await expect(trainSelfRewarding(flat, createContext())).rejects.toMatchObject({
      code: "self-play/no-pairs",
      message: expect.stringContaining("100 % ties") as string,
    });
  });

  test("prompts are made where it is asked for, none of them twice", { timeout: 60_000 }, async () => {
    const made = make("made", {
      eft_dataset: null,
      ift_dataset: null,
      reward_funcs: ["rule:length"],
      num_iterations: 1,
      make_prompts: true,
      prompts_per_iteration: 4,
      prompt_temperature: 1,
      prompt_max_new_tokens: 12,
      prompt_banned_words: [],
    });
    const context = createContext();
    await trainSelfRewarding(made, context);
    const rows = read<{ prompt: string }>(made.output_dir, "M2", "prompts.jsonl").map(({ prompt }) => prompt);
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows).size).toBe(rows.length);
    expect(context.log.events.some(({ code }) => code === "self-play/prompts-made")).toBe(true);
  });
});

describe("spin", () => {
  const human = Array.from({ length: 24 }, (_, i) => ({
    prompt: `the film number ${i}`,
    completion: ` is a work of art and of ${i} ideas .`,
  }));
  let config: ReturnType<typeof spinConfigSchema.parse>;
  let root: string;
  let log: Log;

  beforeAll(async () => {
    config = spinConfigSchema.parse({
      ...training,
      dataset_name: put("human.jsonl", human),
      num_eval_prompts: 8,
      num_iterations: 3,
      learning_rate: 2e-4,
      late_learning_rate: 1e-4,
      last_beta: 5,
      stop_accuracy: 0,
      output_dir: join(folder, "spin"),
    });
    root = config.output_dir;
    const context = createContext();
    await trainSPIN({ ...config, stop_accuracy: -1 }, context);
    log = context.log;
  }, 120_000);

  test("the opponent is the previous iteration, and not the model that is trained", { timeout: 60_000 }, async () => {
    const opponents = [model, join(root, "iteration-0", "model"), join(root, "iteration-1", "model")];
    const policies = [...opponents, join(root, "iteration-2", "model")];
    const asked = read<{ prompt: string }>(root, "data", "examples.jsonl").map(({ prompt }) => prompt);
    for (const t of [0, 1, 2]) {
      const written = read<{ rejected: string }>(root, `iteration-${t}`, "pairs.jsonl").map(({ rejected }) => rejected);
      const settings = {
        temperature: 1,
        topP: 1,
        topK: 0,
        maxNewTokens: 8,
        seed: new Random(7 + 1000 * (t + 1)).integer(2 ** 31),
        batchSize: 8,
        count: 1,
      };
      const sampleFrom = async (folderOf: string): Promise<string[]> => {
        const policy = await openPolicy(folderOf, backend);
        try {
          return (await sampleAnswers(policy, asked, settings)).map(([{ text }]) => text);
        } finally {
          policy.release();
        }
      };
      expect(written).toEqual(await sampleFrom(opponents[t]));
      expect(written).not.toEqual(await sampleFrom(policies[t + 1]));
      expect(readFileSync(join(root, `iteration-${t}`, "model", "config.yaml"), "utf8")).toContain(`model_name_or_path: ${opponents[t]}\n`);
    }
  });

  test("loss at step 0 is ln 2 in every iteration; data differ; the winning side is people's", () => {
    const files = [0, 1, 2].map((t) => readFileSync(join(root, `iteration-${t}`, "pairs.jsonl"), "utf8"));
    expect(new Set(files).size).toBe(3);
    for (const t of [0, 1, 2]) {
      expect(read<MetricsRow>(root, `iteration-${t}`, "model", "metrics.jsonl")[0]["loss"]).toBeCloseTo(Math.LN2, 6);
      for (const { prompt, chosen } of read<{ prompt: string; chosen: string }>(root, `iteration-${t}`, "pairs.jsonl"))
        expect(human).toContainEqual({ prompt, completion: chosen });
    }
  });

  test("from the second iteration on the pairs before are trained on too; rates and beta follow the schedule", () => {
    const stepsOf = (t: number): number => read(root, `iteration-${t}`, "model", "metrics.jsonl").length;
    expect([0, 1, 2].map(stepsOf)).toEqual([2, 4, 4]);
    const setting = (t: number, key: string): string | undefined =>
      new RegExp(`^${key}: (.*)$`, "m").exec(readFileSync(join(root, `iteration-${t}`, "model", "config.yaml"), "utf8"))?.[1];
    expect([0, 1, 2].map((t) => Number(setting(t, "learning_rate")))).toEqual([2e-4, 2e-4, 1e-4]);
    expect([0, 1, 2].map((t) => Number(setting(t, "beta")))).toEqual([0.1, 0.1, 5]);
  });

  test("the gain of each iteration is measured on examples set apart", () => {
    expect(log.rows.map(({ iteration }) => iteration)).toEqual([0, 1, 2]);
    for (const row of log.rows) expect(row["gain/gain"]).toBeCloseTo(Math.LN2 - row["gain/loss"], 9);
    expect(log.rows[0]["gain/gain"]).toBeGreaterThan(0);
    const apart = read<{ prompt: string }>(root, "data", "eval.jsonl").map(({ prompt }) => prompt);
    for (const { prompt } of read<{ prompt: string }>(root, "iteration-0", "pairs.jsonl")) expect(apart).not.toContain(prompt);
    expect(statSync(join(root, "iteration-0", "eval-pairs.jsonl")).size).toBeGreaterThan(0);
  });

  test("ends where nothing is told apart any more", { timeout: 60_000 }, async () => {
    const context = createContext();
    await trainSPIN({ ...config, stop_accuracy: 1, output_dir: join(folder, "spin-ended") }, context);
    expect(context.log.rows).toHaveLength(1);
    expect(context.log.events.find(({ code }) => code === "self-play/stopped")?.message).toMatch(
      /no more than stop_accuracy 1; the run ends/,
    );
    expect(existsSync(join(folder, "spin-ended", "iteration-1"))).toBe(false);
    expect(weights(folder, "spin-ended").equals(weights(folder, "spin-ended", "iteration-0", "model"))).toBe(true);
  });

  test("more examples are a reason to go on", { timeout: 60_000 }, async () => {
    const more = join(folder, "spin-more");
    cpSync(join(folder, "spin-ended"), more, { recursive: true });
    appendFileSync(join(folder, "human.jsonl"), `${JSON.stringify({ prompt: "one more", completion: " of them ." })}\n`);
    const context = createContext({ resume: true });
    await trainSPIN({ ...config, stop_accuracy: 1, output_dir: more }, context);
    expect(stagesRun(context.log)[0]).toBe("data/examples");
  });

  test("margins: nothing told apart is ln 2, and large ones do not overflow", () => {
    expect(summarizeMargins([0, 0], 0.1)).toMatchObject({ loss: Math.LN2, gain: 0, accuracy: 0 });
    const { loss, accuracy } = summarizeMargins([2, -1, 4000, -4000], 1);
    expect(loss).toBeCloseTo((Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(1)) + 0 + 4000) / 4, 9);
    expect(accuracy).toBe(0.5);
  });
});
