import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "dpo",
  summary: "Tunes a model on preference pairs without a reward model (DPO and its relatives), as TRL's DPOTrainer does.",
  examples: [
    "spar dpo --config dpo.yaml",
    "spar dpo --model_name_or_path runs/sft --dataset_name pairs.jsonl --output_dir runs/dpo",
    "spar dpo --config dpo.yaml --loss_type sigmoid sft --loss_weights 1 0.1",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
