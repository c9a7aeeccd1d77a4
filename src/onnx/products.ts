/**
 * Matrix products, lowered so that ONNX Runtime's CPU kernel runs at its full rate. What that takes depends on shapes alone
 * and leaves every bit of a result as it is: the kernel sums each entry over panels of 128 summands, in their order.
 */
import { sameShape, sizeOf, type Shape } from "../tensor/index.ts";
import { int, microsoft, type NodeWriter, type Row } from "./node-writer.ts";

/**
 * The kernel runs over all rows for each panel of 128 columns and 128 summands. While that part of x and of the result
 * stays in a core's cache (512 rows: half a megabyte) it runs at its full rate, with thousands of rows at three quarters.
 */
const rowsInCache = 512;

export const linear: Row<"linear"> = ({ params: { transW }, inputs: [x, w, c], outputs: [y] }, [rows, weight, bias], [output], to) => {
  const [M, K] = x.shape;
  const multiply = planProduct([M, K, y.shape[1]], { b: weight, transB: transW, alpha: 1 }, to);
  const blocks = Math.round(M / rowsInCache);
  if (blocks < 2 || sizeOf(w.shape) < 512 * 512) return multiply(rows, M, bias, output);
  const sizes = Array.from({ length: blocks }, (_, i) => Math.floor(((i + 1) * M) / blocks) - Math.floor((i * M) / blocks));
  const split = (name: string): string[] => {
    const parts = sizes.map(() => to.name());
    to.node("Split", [name, to.integers(sizes)], parts, { axis: int(0) });
    return parts;
  };
  const added = bias === undefined || !sameShape(c.shape, y.shape) ? sizes.map(() => bias) : split(bias);
  const results = split(rows).map((part, i) => {
    const name = to.name();
    multiply(part, sizes[i], added[i], name);
    return name;
  });
  to.node("Concat", results, [output], { axis: int(0) });
};

export const matmul: Row<"matmul"> = (node, inputs, [output], to) => {
  const {
    params: { transA, transB, alpha },
    inputs: [a, b],
    outputs: [y],
  } = node;
  const [first, second] = inputs;
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    if (!transA && !transB && alpha === 1) to.node("MatMul", inputs, [output]);
    else to.node("FusedMatMul", inputs, [output], { transA: int(transA), transB: int(transB), alpha }, microsoft);
  } else if (transA && !transB && sizeOf(a.shape) * b.shape[1] >= worthTransposing) {
    weightGradient([a.shape[1], a.shape[0], b.shape[1]], alpha, inputs, output, to);
  } else if (transA) {
    to.node("Gemm", inputs, [output], { transA: int(transA), transB: int(transB), alpha });
  } else {
    planProduct([a.shape[0], a.shape[1], y.shape[1]], { b: second, transB, alpha }, to)(first, a.shape[0], undefined, output);
  }
};

/** Below this many multiplications another node costs more than it saves. */
const worthTransposing = 1 << 24;

/**
 * aᵀ·b of two matrices, as weights' gradients are. The kernel transposes a anew for every panel of columns, so it is done
 * once beforehand, unless the rows that this makes would collide; and a result with far more rows than columns (a vocabulary)
 * is computed lying on its side, for the reason given at `rowsInCache`.
 */
function weightGradient([M, K, N]: Shape, alpha: number, [a, b]: readonly string[], output: string, to: NodeWriter): void {
  const flip = (name: string): string => to.value("Transpose", [name], { perm: [1, 0] });
  const onSide = M > 2048 && M >= 4 * N;
  const product = onSide ? to.name() : output;
  const [first, second] = onSide ? [b, a] : [a, b];
  if (rowsCollide(K)) to.node("Gemm", [first, second], [product], { transA: int(true), alpha });
  else if (alpha === 1) to.node("MatMul", [flip(first), second], [product]);
  else to.node("Gemm", [flip(first), second], [product], { alpha });
  if (onSide) to.node("Transpose", [product], [output], { perm: [1, 0] });
}

/**
 * The kernel reads twelve rows of the first factor at a time. Where rows are multiples of 4 KB long, all twelve want the same eight
 * places of a first-level cache and drive each other out: a product runs at two thirds of its rate.
 */
const rowsCollide = (summands: number): boolean => summands % 1024 === 0;
/** Zeros that move each row to other places: a cache line. */
const gap = 16;
/** Of rows and of columns: with fewer, copying the factors takes what the product gains. */
const worthCopying = 256;
/** Values of a second factor; a vocabulary is too large to be copied at every step. */
const mostCopied = 1 << 24;

/** Writes x·b (+ added) for blocks of rows x of one product. */
type Multiply = (x: string, rows: number, added: string | undefined, output: string) => void;

/** @param shape M, K and N of [M, K]·[K, N]; b is [N, K] with `transB`. */
function planProduct([M, K, N]: Shape, { b, transB, alpha }: { b: string; transB: boolean; alpha: number }, to: NodeWriter): Multiply {
  const write = (a: string, second: string, added: string | undefined, output: string, transA = false): void => {
    if (added === undefined && !transA && !transB && alpha === 1) return to.node("MatMul", [a, second], [output]);
    const factors = added === undefined ? [a, second] : [a, second, added];
    to.node("Gemm", factors, [output], { transA: int(transA), transB: int(transB), alpha });
  };
  if (!rowsCollide(K) || M < worthCopying || N < worthCopying) return (x, _rows, added, output) => write(x, b, added, output);
  // Rows that are columns are copied panel by panel: slower than rows that do not collide, but b stays where it is.
  if (K * N > mostCopied || to.constants.has(b))
    return (x, _rows, added, output) => write(to.value("Transpose", [x], { perm: [1, 0] }), b, added, output, true);
  const widen = (name: string, zeros: Shape, axis: number): string => to.value("Concat", [name, to.zeros(zeros)], { axis: int(axis) });
  let second: string | undefined;
  return (x, rows, added, output) => {
    const first = widen(x, [rows, gap], 1);
    // Written after x: ONNX Runtime then makes it once x is there, instead of holding it while x is computed (see `lower`).
    second ??= transB ? widen(b, [N, gap], 1) : widen(b, [gap, N], 0);
    write(first, second, added, output);
  };
}
