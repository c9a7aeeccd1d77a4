import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "spin",
  summary: "Lets a model learn to tell people's answers from its own, against its previous iteration, until it cannot (SPIN).",
  examples: [
    "spar spin --config spin.yaml",
    "spar spin --model_name_or_path runs/sft --dataset_name answers.jsonl --output_dir runs/spin",
    "spar spin --config spin.yaml --num_iterations 4 --last_beta 5",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
