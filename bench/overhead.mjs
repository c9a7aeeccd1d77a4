/**
 * What a training step of a model of a million parameters costs beyond its kernels: the time of the same step (the same
 * nodes, parameters, gradients and optimizer, bound and run in the same way) with tensors so small that their kernels have
 * next to nothing to do. What they still do counts as overhead, so the figure is an upper bound.
 * Needs `npm run build`; takes no `--model`.
 */
import { crossEntropy } from "../dist/losses/index.js";
import { initializeModel } from "../dist/models/index.js";
import { createParameters } from "../dist/nn/index.js";
import { createCpuBackend } from "../dist/runtime/index.js";
import { input } from "../dist/tensor/index.js";
import { createOptimizer } from "../dist/trainers/optimizer.js";
import { createStepProgram } from "../dist/trainers/step-program.js";
import { batchScoredRows, scoreTokens } from "../dist/trainers/token-losses.js";
import { median, readArguments, report, timeSteps } from "./measure.mjs";

const args = readArguments({ steps: 500, warmup: 50, batch: 4, length: 32 });
const million = await measure({ vocab_size: 2048, hidden_size: 128, intermediate_size: 352 }, args.batch, args.length);
const empty = await measure({ vocab_size: 2, hidden_size: 8, intermediate_size: 1 }, 1, 2);
report("overhead", million.seconds, {
  tokens: args.batch * args.length,
  overhead_ms: median(empty.seconds) * 1000,
  settings: { parameters: million.parameters, batch: args.batch, length: args.length, threads: args.threads },
});

async function measure(sizes, batchSize, length) {
  const backend = createCpuBackend({ threads: args.threads });
  const config = {
    model_type: "llama",
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    max_position_embeddings: 128,
    tie_word_embeddings: true,
    ...sizes,
  };
  const model = initializeModel(config, backend, { seed: 0 });
  const rows = Array.from({ length: batchSize }, (_, b) => {
    const ids = Array.from({ length }, (_, t) => (b * 7919 + t * 104729) % config.vocab_size);
    return { ids, from: ids.slice(1).map((_, t) => t), targets: ids.slice(1) };
  });
  const batch = batchScoredRows(rows, config.max_position_embeddings);
  const weights = new Float32Array(batch.scored).fill(1 / batch.count, 0, batch.count);
  const build = () => {
    const { logits, labels } = scoreTokens(model, createParameters(), batch, { checkpointing: false });
    const { loss } = crossEntropy(logits, labels, input("weights", "float32", [batch.scored]));
    return { loss, metrics: { loss } };
  };
  const trainables = [...model.parameters].map(([name, value]) => ({ name, value, gradient: backend.allocate(value) }));
  const program = createStepProgram(backend, model.parameters, trainables);
  const adamw = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
  const optimizer = await createOptimizer(backend, trainables, adamw);
  const seconds = await timeSteps(async () => {
    await program.run(batch.shape, build, { ...batch.inputs, weights });
    await optimizer.update(1e-4);
  }, args);
  const parameters = trainables.reduce((sum, { value }) => sum + value.shape.reduce((product, d) => product * d, 1), 0);
  program.release();
  optimizer.release();
  backend.close();
  return { seconds, parameters };
}
