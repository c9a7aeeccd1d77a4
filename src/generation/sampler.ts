/** Draws the next token of every row of a batch whose rows are sampled alike: in the graph where it can. */
import type { Backend, DeviceBuffer } from "../runtime/index.ts";
import { createHostSampler, type SamplingSettings } from "./host-sampler.ts";
import { buildSamplerGraph } from "./sampler-graph.ts";

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

/** A text that is equal for settings that a sampler of one shape can be used for again. */
export function samplerKey(batch: number, vocab: number, settings: SamplingSettings): string {
  const { temperature, topK, topP, minP, repetitionPenalty } = settings;
  return [batch, vocab, temperature, topK, topP, minP, repetitionPenalty].join(" ");
}

export async function createSampler(backend: Backend, batch: number, vocab: number, settings: SamplingSettings): Promise<Sampler> {
  const { temperature, repetitionPenalty } = settings;
  const greedy = temperature === 0;
  const filtered = !greedy && (settings.topK > 0 || settings.topP < 1 || settings.minP > 0);
  if (filtered || repetitionPenalty !== 1) return createUniformHostSampler(backend, batch, vocab, settings);

  const scaled = !greedy && temperature !== 1;
  const column = backend.allocate({ dtype: "float32", shape: [batch, 1] });
  if (scaled) await backend.write(column, new Float32Array(batch).fill(temperature));
  const u = backend.allocate({ dtype: "float32", shape: [batch, 1] });
  const token = backend.allocate({ dtype: "int32", shape: [batch] });
  const logprob = backend.allocate({ dtype: "float32", shape: [batch] });
  const kind = greedy ? "greedy" : "draw";
  const executable = await backend.compile(buildSamplerGraph(kind, batch, vocab, scaled), { label: `sampler ${kind}` });
  return {
    batch,
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
    release() {
      executable.release();
      for (const buffer of [column, u, token, logprob]) buffer.free();
    },
  };
}

function createUniformHostSampler(backend: Backend, batch: number, vocab: number, settings: SamplingSettings): Sampler {
  const host = createHostSampler(backend, batch, vocab);
  return {
    batch,
    async sample(logits, u, seen) {
      const rows = Array.from(u, (number, row) => ({ settings, u: number, seen: () => seen(row) ?? [] }));
      const drawn = await host.sample(logits, rows);
      return {
        tokens: Int32Array.from(drawn, (token) => token?.id ?? 0),
        logprobs: Float32Array.from(drawn, (token) => token?.logprob ?? 0),
      };
    },
    release: () => host.release(),
  };
}
