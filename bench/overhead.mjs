/**
 * What a training step of a model of a million parameters costs beyond its kernels: wall time of forward and backward pass
 * less the kernels' own time in the same runs, by ONNX Runtime's profile. Writing the profile counts as overhead here, so
 * the figure is an upper bound; `seconds_per_step` is taken without it.
 * Needs `npm run build`; takes no `--model`.
 */
import { crossEntropy } from "../dist/losses/index.js";
import { initializeModel } from "../dist/models/index.js";
import { createParameters } from "../dist/nn/index.js";
import { createCpuBackend, profileOf } from "../dist/runtime/index.js";
import { buildGraph, grad, input } from "../dist/tensor/index.js";
import { batchScoredRows, scoreTokens } from "../dist/trainers/token-losses.js";
import { readArguments, report, timeSteps } from "./measure.mjs";

const args = readArguments({ steps: 200, warmup: 20, batch: 4, length: 32 });
const raw = {
  model_type: "llama",
  vocab_size: 2048,
  hidden_size: 128,
  intermediate_size: 352,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 128,
  tie_word_embeddings: true,
};
const plain = await measure(false);
const profiled = await measure(true);
report("overhead", plain.seconds, {
  tokens: args.batch * args.length,
  overhead_ms: (mean(profiled.seconds) - profiled.kernelSeconds) * 1000,
  kernel_ms: profiled.kernelSeconds * 1000,
  nodes: plain.nodes,
  settings: { parameters: plain.parameters, batch: args.batch, length: args.length, threads: args.threads },
});

async function measure(profile) {
  const backend = createCpuBackend({ threads: args.threads, profile });
  const model = initializeModel(raw, backend, { seed: 0 });
  const rows = Array.from({ length: args.batch }, (_, b) => {
    const ids = Array.from({ length: args.length }, (_, t) => (b * 7919 + t * 104729) % raw.vocab_size);
    return { ids, from: ids.slice(1).map((_, t) => t), targets: ids.slice(1) };
  });
  const batch = batchScoredRows(rows, raw.max_position_embeddings);
  const p = createParameters();
  const { logits, labels } = scoreTokens(model, p, batch, { checkpointing: false });
  const { loss } = crossEntropy(logits, labels, input("weights", "float32", [batch.scored]));
  const names = [...p.all.keys()];
  const gradients = grad(
    loss,
    names.map((name) => p.all.get(name)),
  );
  const graph = buildGraph({ loss, ...Object.fromEntries(gradients.map((gradient, i) => [`gradient.${names[i]}`, gradient])) });
  const values = { ...batch.inputs, weights: new Float32Array(batch.scored).fill(1 / batch.count, 0, batch.count) };
  const feeds = new Map(model.parameters);
  for (const [name, type] of graph.inputs) {
    if (feeds.has(name)) continue;
    const buffer = backend.allocate(type);
    await backend.write(buffer, values[name]);
    feeds.set(name, buffer);
  }
  const outputs = new Map([...graph.outputs].map(([name, type]) => [name, backend.allocate(type)]));
  const executable = await backend.compile(graph);
  // The profile has every run, so every run is timed.
  const seconds = await timeSteps(() => executable.run(feeds, outputs), profile ? { steps: args.warmup + args.steps, warmup: 0 } : args);
  const kernelSeconds = profile ? profileOf(executable).reduce((sum, row) => sum + row.seconds / row.runs, 0) : undefined;
  const parameters = [...model.parameters.values()].reduce((sum, { shape }) => sum + shape.reduce((product, d) => product * d, 1), 0);
  backend.close();
  return { seconds, kernelSeconds, nodes: graph.nodes.length, parameters };
}

function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
