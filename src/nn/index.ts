export { createParameters, type Parameters } from "./parameters.ts";
export { conv1d, embedding, layerNorm, linear, rmsNorm } from "./layers.ts";
export { parseRope, ropeFrequencies, ropeTables, type RopeConfig } from "./rope.ts";
export { createDecodingSequence, createFullSequence, masked, type AttendOptions, type Sequence } from "./sequence.ts";
