/**
 * Weights laid out anew for the matrix kernels, once for all sessions that use them: without this each
 * shape bucket's session would hold its own copy of the whole model.
 */
import type { CpuBuffer } from "./buffers.ts";
import type { OrtApi } from "./ort-api.ts";

export interface PrepackedWeights {
  readonly container: bigint;
  /** After the session that used it. */
  release(): void;
}

const containers = new WeakMap<CpuBuffer, { container: bigint; users: number }>();

/**
 * The container shared by the live sessions that have `weights` among their constants; ONNX Runtime finds entries by
 * their content, so values that changed between two sessions do no harm. It ends with the last of these sessions.
 */
export function sharePrepacked(api: OrtApi, weights: CpuBuffer): PrepackedWeights {
  const entry = containers.get(weights) ?? { container: api.create("CreatePrepackedWeightsContainer"), users: 0 };
  containers.set(weights, entry);
  entry.users++;
  return {
    container: entry.container,
    release() {
      if (--entry.users > 0) return;
      containers.delete(weights);
      api.release("ReleasePrepackedWeightsContainer", entry.container);
    },
  };
}
