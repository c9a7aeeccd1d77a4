/** Draws the next token of every row, in the graph where it can, with the host's help for filters and penalties. */
import type { Backend, DeviceBuffer, Executable } from "../runtime/index.ts";
import { drawAbove, filterThreshold } from "./draw-filtered.ts";
import { buildSamplerGraph, type SamplerGraphKind } from "./sampler-graph.ts";
import type { GenerationSettings } from "./settings.ts";

export interface Sampler {
  readonly batch: number;
  /**
   * Overwrites its results at each call. With a repetition penalty it also changes `logits`.
   * @param logits [B, V] @param u a number in [0, 1) for each row
   * @param seen the ids a row holds already, for the repetition penalty; undefined for rows that do not matter
   */
  sample(logits: DeviceBuffer, u: Float64Array, seen: (row: number) => Iterable<number> | undefined): Promise<Sampled>;
  release(): void;
}

export interface Sampled {
  /** [B] */
  readonly tokens: Int32Array;
  /** [B]: under logits ÷ temperature (1 where greedy), before penalty and filters. */
  readonly logprobs: Float32Array;
}

type SamplingSettings = Pick<GenerationSettings, "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty">;

/** A text that is equal for settings that a sampler of one shape can be used for again. */
export function samplerKey(batch: number, vocab: number, settings: SamplingSettings): string {
  const { temperature, topK, topP, minP, repetitionPenalty } = settings;
  return [batch, vocab, temperature, topK, topP, minP, repetitionPenalty].join(" ");
}

export async function createSampler(backend: Backend, batch: number, vocab: number, settings: SamplingSettings): Promise<Sampler> {
  const { temperature, repetitionPenalty } = settings;
  const greedy = temperature === 0;
  const scaled = !greedy && temperature !== 1;
  const column = backend.allocate({ dtype: "float32", shape: [batch, 1] });
  if (scaled) await backend.write(column, new Float32Array(batch).fill(temperature));
  const buffers: DeviceBuffer[] = [column];
  const executables: Executable[] = [];
  const allocate = (type: Parameters<Backend["allocate"]>[0]): DeviceBuffer => {
    const buffer = backend.allocate(type);
    buffers.push(buffer);
    return buffer;
  };
  const compile = async (kind: SamplerGraphKind): Promise<Executable> => {
    const executable = await backend.compile(buildSamplerGraph(kind, batch, vocab, scaled), { label: `sampler ${kind}` });
    executables.push(executable);
    return executable;
  };
  const release = (): void => {
    for (const executable of executables) executable.release();
    for (const buffer of buffers) buffer.free();
  };
  const all = async (kind: SamplerGraphKind): Promise<(logits: DeviceBuffer) => Promise<Float32Array>> => {
    const executable = await compile(kind);
    const output = allocate({ dtype: "float32", shape: [batch, vocab] });
    return async (logits) => {
      await executable.run(
        new Map([
          ["logits", logits],
          ["temperature", column],
        ]),
        new Map([["all", output]]),
      );
      return hostOf(backend, output);
    };
  };

  const filtered = !greedy && (settings.topK > 0 || settings.topP < 1 || settings.minP > 0);
  if (!filtered && repetitionPenalty === 1) {
    const executable = await compile(greedy ? "greedy" : "draw");
    const u = allocate({ dtype: "float32", shape: [batch, 1] });
    const token = allocate({ dtype: "int32", shape: [batch] });
    const logprob = allocate({ dtype: "float32", shape: [batch] });
    return {
      batch,
      release,
      async sample(logits, numbers) {
        await backend.write(u, Float32Array.from(numbers));
        await executable.run(
          new Map([
            ["logits", logits],
            ["temperature", column],
            ["u", u],
          ]),
          new Map([
            ["token", token],
            ["logprob", logprob],
          ]),
        );
        return { tokens: (await backend.read(token)) as Int32Array, logprobs: (await backend.read(logprob)) as Float32Array };
      },
    };
  }

  const probabilitiesOf = await all("probabilities");
  const logprobsOf = repetitionPenalty === 1 ? undefined : await all("logprobs");
  return {
    batch,
    release,
    async sample(logits, u, seen) {
      const unpenalised = await logprobsOf?.(logits);
      if (unpenalised !== undefined) await penalise(backend, logits, seen, repetitionPenalty, vocab);
      const probabilities = await probabilitiesOf(logits);
      const tokens = new Int32Array(batch);
      const logprobs = new Float32Array(batch);
      for (let row = 0; row < batch; row++) {
        const own = probabilities.subarray(row * vocab, (row + 1) * vocab);
        const token = greedy ? indexOfLargest(own) : drawAbove(own, filterThreshold(own, settings), u[row]);
        tokens[row] = token;
        logprobs[row] = unpenalised === undefined ? Math.log(own[token]) : unpenalised[row * vocab + token];
      }
      return { tokens, logprobs };
    },
  };
}

/** Keskar et al. 2019 (arXiv 1909.05858), as Transformers does it: logits of seen tokens are divided where positive, multiplied where negative. */
async function penalise(
  backend: Backend,
  logits: DeviceBuffer,
  seen: (row: number) => Iterable<number> | undefined,
  penalty: number,
  vocab: number,
): Promise<void> {
  const values = await hostOf(backend, logits);
  for (let row = 0; row < logits.shape[0]; row++) {
    for (const id of new Set(seen(row) ?? [])) {
      const at = row * vocab + id;
      values[at] = values[at] < 0 ? values[at] * penalty : values[at] / penalty;
    }
  }
  if (logits.host === undefined) await backend.write(logits, values);
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

async function hostOf(backend: Backend, buffer: DeviceBuffer): Promise<Float32Array> {
  return (buffer.host ?? (await backend.read(buffer))) as Float32Array;
}
