import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "self-rewarding",
  summary:
    "Lets a model answer, grade its answers and learn from its grades by DPO, iteration by iteration (self-rewarding language models).",
  examples: [
    "spar self-rewarding --config self-rewarding.yaml",
    "spar self-rewarding --config self-rewarding.yaml --judge frozen",
    "spar self-rewarding --config self-rewarding.yaml --judge openai:http://localhost:8000/v1#qwen3",
    "spar self-rewarding --model_name_or_path runs/sft --dataset_name prompts.jsonl --reward_funcs rule:length --output_dir runs/iterative-dpo",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
