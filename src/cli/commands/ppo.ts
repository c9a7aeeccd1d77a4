import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "ppo",
  summary: "Tunes a language model by PPO, as TRL 0.12.2's PPOTrainer does, against a reward model or any other reward.",
  examples: [
    "spar ppo --config ppo.yaml",
    "spar ppo --sft_model_path runs/sft --reward_model_path runs/reward --dataset_name prompts.jsonl --output_dir runs/ppo",
    "spar ppo --config ppo.yaml --reward_funcs rule:length ./my-reward.mjs --reward_weights 1 0.5",
    "spar ppo --config ppo.yaml --adap_kl_ctrl --kl_target 6",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
