import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "sft",
  summary: "Fine-tunes a language model on plain texts, prompts with completions, or conversations, as TRL's SFTTrainer does.",
  examples: [
    "spar sft --config sft.yaml",
    "spar sft --model_name_or_path gpt2 --dataset_name train.jsonl --max_length 256 --output_dir runs/sft",
    "spar sft --config sft.yaml --learning_rate 1e-4 --report_to tensorboard",
    "spar sft --config sft.yaml --resume",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
