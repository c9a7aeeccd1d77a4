/** Forward and backward pass with every gradient, loss over all tokens: the counterpart of peers/forward_backward.py. Needs `npm run build`. */
import { crossEntropy } from "../dist/losses/index.js";
import { loadModel } from "../dist/models/index.js";
import { createParameters } from "../dist/nn/index.js";
import { createCpuBackend } from "../dist/runtime/index.js";
import { input } from "../dist/tensor/index.js";
import { createStepProgram } from "../dist/trainers/step-program.js";
import { batchScoredRows, scoreTokens } from "../dist/trainers/token-losses.js";
import { readArguments, report, timeSteps } from "./measure.mjs";

const args = readArguments({ steps: 10, batch: 4, length: 128, checkpointing: 0 });
const backend = createCpuBackend({ threads: args.threads });
const model = await loadModel(args.model, backend);
const { vocabSize, maxPositions, hiddenSize, layers } = model.config;
const trainables = [...model.parameters].map(([name, value]) => ({ name, value, gradient: backend.allocate(value) }));
const program = createStepProgram(backend, model.parameters, trainables);
const rows = Array.from({ length: args.batch }, (_, b) => {
  const ids = Array.from({ length: args.length }, (_, t) => (b * 7919 + t * 104729) % vocabSize);
  return { ids, from: ids.slice(1).map((_, t) => t), targets: ids.slice(1) };
});
const batch = batchScoredRows(rows, maxPositions);
const weights = new Float32Array(batch.scored).fill(1 / batch.count, 0, batch.count);
const build = () => {
  const { logits, labels } = scoreTokens(model, createParameters(), batch, { checkpointing: args.checkpointing !== 0 });
  const { loss } = crossEntropy(logits, labels, input("weights", "float32", [batch.scored]));
  return { loss, metrics: { loss } };
};
const seconds = await timeSteps(() => program.run(batch.shape, build, { ...batch.inputs, weights }), args);
const tokens = args.batch * args.length;
const size = (shape) => shape.reduce((product, d) => product * d, 1);
// Every matrix but the position table (a look-up) is in three products; a tied embedding is the head.
const matrices = [...model.parameters].filter(
  ([name, { shape }]) =>
    shape.length === 2 && !/wpe|embed_positions/.test(name) && !(/embed_tokens|wte/.test(name) && !model.config.tieWordEmbeddings),
);
const gflop =
  (6 * tokens * matrices.reduce((sum, [, { shape }]) => sum + size(shape), 0) + 12 * layers * args.batch * args.length ** 2 * hiddenSize) /
  1e9;
report("forward_backward", seconds, {
  tokens,
  gflop,
  settings: { batch: args.batch, length: args.length, checkpointing: args.checkpointing !== 0, threads: args.threads },
});
program.release();
backend.close();
