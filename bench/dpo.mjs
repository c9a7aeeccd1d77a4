/** One DPO step on 4 pairs of 64 prompt + 64 chosen | 64 rejected tokens, the reference's log-probs included: the counterpart of peers/dpo.py. Needs `npm run build`. */
import { loadTokenizer, trainDPO } from "../dist/index.js";
import { readArguments, report } from "./measure.mjs";
import { makeRows } from "./texts.mjs";
import { timeTraining } from "./train.mjs";

const args = readArguments({ steps: 6, batch: 4, prompt: 64, completion: 64, checkpointing: 0 });
const tokenizer = await loadTokenizer(args.model);
// The trainer ends every answer with a token of its own. Every pair is new, so the reference is asked at every step.
const rows = makeRows(tokenizer, (Math.max(1, args.warmup) + args.steps) * args.batch, [
  args.prompt,
  args.completion - 1,
  args.completion - 1,
]);
const seconds = await timeTraining(
  "dpo",
  trainDPO,
  rows.map(([prompt, chosen, rejected]) => ({ prompt, chosen, rejected })),
  args,
  { learning_rate: 1e-6, max_length: args.prompt + args.completion },
);
report("dpo", seconds, {
  tokens: 2 * args.batch * (args.prompt + args.completion),
  settings: {
    pairs: args.batch,
    prompt: args.prompt,
    completion: args.completion,
    checkpointing: args.checkpointing === 1,
    threads: args.threads,
  },
});
