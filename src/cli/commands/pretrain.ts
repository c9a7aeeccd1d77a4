import type { CommandIO } from "../output.ts";
import { runTrainCommand } from "../train-command.ts";

const command = {
  method: "pretrain",
  summary: "Trains a language model from its config alone, and its tokenizer where none is given.",
  examples: [
    "spar pretrain --dataset_name reviews.txt --hidden_size 192 --num_hidden_layers 4 --output_dir runs/base",
    "spar pretrain --config pretrain.yaml --max_steps 200",
    "spar pretrain --config pretrain.yaml --resume",
  ],
} as const;

export function run(args: string[], io: CommandIO): Promise<void> {
  return runTrainCommand(command, args, io);
}
