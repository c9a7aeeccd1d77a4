import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "reward",
  summary: "Trains a reward model (a score head on a language model) on preference pairs, as TRL's RewardTrainer does.",
  examples: [
    "spar reward --config reward.yaml",
    "spar reward --model_name_or_path runs/sft --dataset_name pairs.jsonl --output_dir runs/reward",
    "spar reward --config reward.yaml --center_rewards_coefficient 0.01",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
