/** Small parameters go through element-wise kernels side by side: calling a kernel costs more than a hundred values do. */
import { concat, input, slice, type Tensor } from "../tensor/index.ts";

/** The inputs `name.0`, `name.1` … of the given lengths, one after the other. */
export function joinInputs(name: string, sizes: readonly number[]): Tensor {
  return concat(
    sizes.map((size, j) => input(`${name}.${j}`, "float32", [size])),
    0,
  );
}

/** The inverse: parts of `x` of the given lengths. */
export function splitAt(x: Tensor, sizes: readonly number[]): Tensor[] {
  let start = 0;
  return sizes.length === 1 ? [x] : sizes.map((size) => slice(x, 0, start, (start += size)));
}
