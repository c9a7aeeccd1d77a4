/** Draws tokens with the host's help: filters, penalties, and rows of one batch that are sampled in different ways. */
import type { Backend, DeviceBuffer, Executable } from "../runtime/index.ts";
import { drawAbove, filterThreshold } from "./draw-filtered.ts";
import { buildSamplerGraph, type SamplerGraphKind } from "./sampler-graph.ts";
import type { GenerationSettings } from "./settings.ts";

export type SamplingSettings = Pick<GenerationSettings, "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty">;

/** What a row of the batch asks for; undefined for rows that do not matter. */
export interface SampledRow {
  readonly settings: SamplingSettings;
  /** In [0, 1). */
  readonly u: number;
  /** The ids that the row holds already, for the repetition penalty. */
  readonly seen: () => Iterable<number>;
  /** How many of the likeliest tokens are wanted beside the drawn one; default 0. */
  readonly top?: number | undefined;
}

/** A token and its log-probability under logits ÷ temperature (1 where greedy), before penalty and filters. */
export interface TokenChoice {
  readonly id: number;
  readonly logprob: number;
}

export interface DrawnToken extends TokenChoice {
  /** The likeliest tokens, likeliest first; empty where none were asked for. */
  readonly top: readonly TokenChoice[];
}

export interface HostSampler {
  /** @param logits [B, V]; changed where a row has a repetition penalty */
  sample(logits: DeviceBuffer, rows: readonly (SampledRow | undefined)[]): Promise<(DrawnToken | undefined)[]>;
  release(): void;
}

export function createHostSampler(backend: Backend, batch: number, vocab: number): HostSampler {
  const column = backend.allocate({ dtype: "float32", shape: [batch, 1] });
  const outputs = new Map<SamplerGraphKind, { executable: Executable; output: DeviceBuffer }>();
  const run = async (kind: "probabilities" | "logprobs", logits: DeviceBuffer): Promise<Float32Array> => {
    let compiled = outputs.get(kind);
    if (compiled === undefined) {
      const executable = await backend.compile(buildSamplerGraph(kind, batch, vocab, true), { label: `sampler ${kind}` });
      compiled = { executable, output: backend.allocate({ dtype: "float32", shape: [batch, vocab] }) };
      outputs.set(kind, compiled);
    }
    await compiled.executable.run(
      new Map([
        ["logits", logits],
        ["temperature", column],
      ]),
      new Map([["all", compiled.output]]),
    );
    return hostOf(backend, compiled.output);
  };
  return {
    async sample(logits, rows) {
      await backend.write(
        column,
        Float32Array.from({ length: batch }, (_, row) => rows[row]?.settings.temperature || 1),
      );
      const penalised = rows.some((row) => row !== undefined && row.settings.repetitionPenalty !== 1);
      const unpenalised = penalised ? await run("logprobs", logits) : undefined;
      if (penalised) await penalise(backend, logits, rows, vocab);
      const probabilities = await run("probabilities", logits);
      return rows.map((row, i) => {
        if (row === undefined) return undefined;
        const own = probabilities.subarray(i * vocab, (i + 1) * vocab);
        const logprobOf = (id: number): number => (unpenalised === undefined ? Math.log(own[id]) : unpenalised[i * vocab + id]);
        const { settings, u, top = 0 } = row;
        const id = settings.temperature === 0 ? indexOfLargest(own) : drawAbove(own, filterThreshold(own, settings), u);
        // Of the distribution that the log-probabilities are of, which a penalty does not change.
        const ranked = top === 0 ? [] : indicesOfLargest(unpenalised?.subarray(i * vocab, (i + 1) * vocab) ?? own, top);
        return { id, logprob: logprobOf(id), top: ranked.map((other) => ({ id: other, logprob: logprobOf(other) })) };
      });
    },
    release() {
      for (const { executable, output } of outputs.values()) {
        executable.release();
        output.free();
      }
      column.free();
    },
  };
}

/** Keskar et al. 2019 (arXiv 1909.05858), as Transformers does it: logits of seen tokens are divided where positive, multiplied where negative. */
async function penalise(backend: Backend, logits: DeviceBuffer, rows: readonly (SampledRow | undefined)[], vocab: number): Promise<void> {
  const values = await hostOf(backend, logits);
  for (const [i, row] of rows.entries()) {
    const penalty = row?.settings.repetitionPenalty ?? 1;
    if (row === undefined || penalty === 1) continue;
    for (const id of new Set(row.seen())) {
      const at = i * vocab + id;
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

/** Of the `count` largest, largest first, equal ones by index; `count` is small. */
function indicesOfLargest(values: Float32Array, count: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === count && values[i] <= values[found[count - 1]]) continue;
    let at = found.length;
    while (at > 0 && values[found[at - 1]] < values[i]) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}

async function hostOf(backend: Backend, buffer: DeviceBuffer): Promise<Float32Array> {
  return (buffer.host ?? (await backend.read(buffer))) as Float32Array;
}
