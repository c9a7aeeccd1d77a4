/** One SFT step on 4 × (64 prompt + 64 completion) tokens: the counterpart of peers/sft.py. Needs `npm run build`. */
import { loadTokenizer, trainSFT } from "../dist/index.js";
import { readArguments, report } from "./measure.mjs";
import { makeRows } from "./texts.mjs";
import { timeTraining } from "./train.mjs";

const args = readArguments({ steps: 6, batch: 4, prompt: 64, completion: 64, checkpointing: 0 });
const tokenizer = await loadTokenizer(args.model);
// The trainer ends every completion with a token of its own.
const rows = makeRows(tokenizer, (Math.max(1, args.warmup) + args.steps) * args.batch, [args.prompt, args.completion - 1]);
const seconds = await timeTraining(
  "sft",
  trainSFT,
  rows.map(([prompt, completion]) => ({ prompt, completion })),
  args,
  { learning_rate: 2e-5, max_length: args.prompt + args.completion, completion_only_loss: true },
);
report("sft", seconds, {
  tokens: args.batch * (args.prompt + args.completion),
  settings: {
    batch: args.batch,
    prompt: args.prompt,
    completion: args.completion,
    checkpointing: args.checkpointing === 1,
    threads: args.threads,
  },
});
