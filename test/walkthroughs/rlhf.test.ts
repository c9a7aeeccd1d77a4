/** docs/walkthrough-rlhf.md, command by command, and whether each stage did what the page says it does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { describePage, meanOf, readCurve, readMetrics } from "../run-page.ts";

function readRows(path: string): { [key: string]: unknown }[] {
  const text = readFileSync(path, "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });
}

describePage("docs/walkthrough-rlhf.md", {
  // The whole of both takes a minute and a half on two free cores.
  shorten: {
    "npx spar pretrain": "--max_steps 75",
    "npx spar sft": "--num_train_epochs 1",
    "npx spar reward": "--max_steps 30 --max_length 40",
    "npx spar ppo": "--total_episodes 768 --num_ppo_epochs 2 --num_mini_batches 2 --response_length 12 --kl_coef 0.02 --learning_rate 1e-3",
  },
  afterwards: {
    "the pretrained model beats the trigram model on held-out text": (folder) => {
      const last = readMetrics(join(folder, "runs/tiny-pretrain")).at(-1);
      expect(last?.["eval_bits_per_byte"]).toBeLessThan(last?.["eval_trigram_bits_per_byte"] as number);
    },
    "SFT lowers the loss on held-out completions": (folder) => {
      const losses = readCurve(join(folder, "runs/tiny-sft"), "eval_loss");
      expect(losses.at(-1)).toBeLessThan(0.6 * (losses[0] as number));
    },
    "two candidates of each prompt became tasks for people": (folder) => {
      const tasks = JSON.parse(readFileSync(join(folder, "tasks.json"), "utf8")) as object[];
      expect(2 * tasks.length).toBe(readRows(join(folder, "candidates.jsonl")).length);
      expect(Object.keys(tasks[0] as object)).toEqual(["prompt", "answer1", "answer2"]);
    },
    "the reward model is better than chance on sentences that it has not seen": (folder) => {
      expect(readCurve(join(folder, "runs/reward"), "eval_accuracy").at(-1)).toBeGreaterThan(0.65);
    },
    "PPO raises the reward and moves away from the start": (folder) => {
      const scores = readCurve(join(folder, "runs/ppo"), "objective/scores");
      expect(meanOf(scores.slice(-3))).toBeGreaterThan(meanOf(scores.slice(0, 3)) + 0.2);
      expect(readCurve(join(folder, "runs/ppo"), "objective/kl").at(-1)).toBeGreaterThan(0.1);
    },
    "before and after are different texts of the same prompts": (folder) => {
      const [before, after] = ["before", "after"].map((name) => readRows(join(folder, `${name}.jsonl`)));
      expect(before?.map((row) => row["prompt"])).toEqual(after?.map((row) => row["prompt"]));
      expect(before?.map((row) => row["completion"])).not.toEqual(after?.map((row) => row["completion"]));
    },
  },
});
