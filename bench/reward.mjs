/** One step of reward training on 4 pairs of 64 prompt + 64 chosen | 64 rejected tokens: the counterpart of peers/reward.py. Needs `npm run build`. */
import { loadTokenizer, trainReward } from "../dist/index.js";
import { readArguments, report } from "./measure.mjs";
import { makeRows } from "./texts.mjs";
import { timeTraining } from "./train.mjs";

const args = readArguments({ steps: 6, batch: 4, prompt: 64, completion: 64, checkpointing: 0 });
const tokenizer = await loadTokenizer(args.model);
// The trainer ends every answer with a token of its own.
const rows = makeRows(tokenizer, (Math.max(1, args.warmup) + args.steps) * args.batch, [
  args.prompt,
  args.completion - 1,
  args.completion - 1,
]);
const seconds = await timeTraining(
  "reward",
  trainReward,
  rows.map(([prompt, chosen, rejected]) => ({ prompt, chosen, rejected })),
  args,
  { learning_rate: 1e-5, max_length: args.prompt + args.completion },
);
report("reward", seconds, {
  tokens: 2 * args.batch * (args.prompt + args.completion),
  settings: {
    pairs: args.batch,
    prompt: args.prompt,
    completion: args.completion,
    checkpointing: args.checkpointing === 1,
    threads: args.threads,
  },
});
