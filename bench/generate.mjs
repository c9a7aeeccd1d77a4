/** 16 prompt + 64 sampled tokens a row, temperature 1, no stop: the counterpart of peers/generate.py. Needs `npm run build`. */
import { createCpuBackend, createGenerator, loadModel } from "../dist/index.js";
import { readArguments, report, timeSteps } from "./measure.mjs";

const args = readArguments({ batch: 8, prompt: 16, completion: 64 });
const backend = createCpuBackend({ threads: args.threads });
const model = await loadModel(args.model, backend);
const generator = createGenerator(model, backend, { maxBatch: args.batch });
const requests = Array.from({ length: args.batch }, (_, b) => ({
  promptIds: Array.from({ length: args.prompt }, (_, t) => (b * 7919 + t * 104729 + 11) % (model.config.vocabSize - 1)),
}));
const seconds = await timeSteps(
  (i) => generator.generate(requests, { maxNewTokens: args.completion, temperature: 1, stopIds: [], seed: i }),
  args,
);
report("generate", seconds, {
  tokens: args.batch * args.completion,
  settings: {
    batch: args.batch,
    prompt: args.prompt,
    completion: args.completion,
    model_type: model.config.modelType,
    threads: args.threads,
  },
});
generator.release();
backend.close();
