/** Which prompts are learnt on and which are only watched. */
import { join } from "node:path";
import { specFromName, type Content } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import type { SelfRewardingConfig } from "../trainers/configs.ts";
import { trainingSpecs } from "../trainers/index.ts";
import { loadPromptRows } from "./read-examples.ts";
import { writeRows } from "./rows-file.ts";
import { keepFittingPrompts, listLocalFiles, readPositions, type SelfPlayRun } from "./self-play-run.ts";

interface Prompted {
  readonly prompt: Content;
}

/** data/prompts.jsonl to learn on, data/eval.jsonl to watch on. */
export async function splitPrompts(config: SelfRewardingConfig, run: SelfPlayRun): Promise<void> {
  const folder = join(run.root, "data");
  const specs = trainingSpecs(config);
  const { eval_dataset: other, num_eval_prompts: count, seed } = config;
  const options = { hasChatTemplate: run.tokenizer.hasChatTemplate, seed };
  await run.stage({
    name: "prompts",
    folder,
    settings: { specs, seed, eval: [other, count], longest: config.max_prompt_length },
    reads: [...listLocalFiles(specs.flatMap(({ path, data_files }) => [path, data_files])), ...listLocalFiles([other])],
    writes: ["prompts.jsonl", "eval.jsonl"],
    async run() {
      const { maxPositions } = await readPositions(run.base);
      const limits = { maxPromptLength: config.max_prompt_length, maxPositions };
      const rows = keepFittingPrompts(await loadPromptRows(specs, options), run, limits);
      const order = new Random(seed).shuffle([...rows]);
      if (other === null) {
        checkEnough(order.length, count, "prompts");
        const [watched, learnt] = [order.slice(0, count), order.slice(count)];
        reportRepeats(run, watched, learnt);
        await writeRows(join(folder, "eval.jsonl"), watched);
        await writeRows(join(folder, "prompts.jsonl"), learnt);
        return;
      }
      const others = await loadPromptRows([specFromName({ dataset_name: other }, "train")], options);
      const watched = keepFittingPrompts(others, run, limits).slice(0, count);
      const learnt = leaveOutWatched(run, watched, order);
      await writeRows(join(folder, "eval.jsonl"), watched);
      await writeRows(join(folder, "prompts.jsonl"), learnt);
    },
  });
}

/** Throws `self-play/few-prompts` where setting `apart` of them apart would leave none. */
export function checkEnough(found: number, apart: number, what: "prompts" | "examples"): void {
  if (found > apart) return;
  throw new SparError("self-play/few-prompts", `expected more than ${apart} ${what} (num_eval_prompts are set apart), got ${found}`, {
    hint: `Lower num_eval_prompts, or give ${what === "prompts" ? "eval_dataset" : "more examples"}.`,
  });
}

/** Rows set apart are chosen one by one: says how many of their prompts stand in other rows too, and are learnt on there. */
export function reportRepeats(
  { context: { tracker } }: Pick<SelfPlayRun, "context">,
  watched: readonly Prompted[],
  learnt: readonly Prompted[],
): void {
  const known = new Set(learnt.map(keyOf));
  const repeated = watched.filter((row) => known.has(keyOf(row))).length;
  if (repeated === 0) return;
  const message = `${repeated} of the ${watched.length} prompts set apart stand in other rows too, which are learnt on: what is measured on them is not about unseen prompts`;
  tracker.event({ code: "self-play/repeated-prompts", message, count: repeated, of: watched.length });
}

/** What is watched is not learnt on. Throws `self-play/few-prompts` where nothing else is left. */
function leaveOutWatched<T extends Prompted>({ context: { tracker } }: SelfPlayRun, watched: readonly Prompted[], rows: readonly T[]): T[] {
  const apart = new Set(watched.map(keyOf));
  const kept = rows.filter((row) => !apart.has(keyOf(row)));
  const dropped = rows.length - kept.length;
  if (dropped === 0) return kept;
  if (kept.length === 0)
    throw new SparError("self-play/few-prompts", `expected prompts to learn on, got ${rows.length} that are all in eval_dataset too`, {
      hint: "Give other prompts as eval_dataset, or none: num_eval_prompts of the data's are then set apart. A lower num_eval_prompts watches fewer.",
    });
  const message = `${dropped} of ${rows.length} prompts are watched on too (eval_dataset), and were left out of those learnt on`;
  tracker.event({ code: "data/rows-dropped", level: "warning", message });
  return kept;
}

const keyOf = ({ prompt }: Prompted): string =>
  JSON.stringify(typeof prompt === "string" ? prompt : prompt.map(({ role, content }) => [role, content]));
