/**
 * Where a model's functions get their parameters: by the name they have in a checkpoint. What a model
 * needs is whatever it asks for, so names and shapes are written down once, where they are used.
 */
import type { Shape, Tensor } from "../tensor/index.ts";
import { input } from "../tensor/index.ts";

export interface Parameters {
  /** The parameter `prefix.name`; the same tensor each time. */
  get(name: string, shape: Shape): Tensor;
  /** A scope below this one. */
  in(name: string): Parameters;
}

/** Parameters as graph inputs of their full names; `all` fills up as the model asks. */
export function createParameters(
  all: Map<string, Tensor> = new Map(),
  prefix = "",
): Parameters & { readonly all: ReadonlyMap<string, Tensor> } {
  return {
    all,
    get(name, shape) {
      const path = prefix + name;
      const tensor = all.get(path) ?? input(path, "float32", shape);
      all.set(path, tensor);
      return tensor;
    },
    in: (name) => createParameters(all, `${prefix}${name}.`),
  };
}
