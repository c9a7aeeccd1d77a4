/** Memory that JavaScript and ONNX Runtime share. */
import { elementTypeOf } from "../onnx/index.ts";
import { SparError } from "../internal/errors.ts";
import { byteLengthOf, formatType, sizeOf, type DType, type Shape, type TensorData, type TensorType } from "../tensor/index.ts";
import type { AllocateOptions, DeviceBuffer } from "./backend.ts";
import type { Environment } from "./environment.ts";
import type { OrtApi } from "./ort-api.ts";

/**
 * Reductions may peel by address, and then the last bits of a sum would depend on where a buffer lies:
 * all buffers begin at a multiple of a cache line (V8's own begin at multiples of 16).
 */
const alignment = 64;

/**
 * From here on, memory is a resizable ArrayBuffer: mapped, so aligned to pages, and given back to the system by free()
 * rather than at some garbage collection. Smaller ones are not, because element loops over them are half as fast.
 */
const mappedFrom = 16 * 2 ** 20;
/** Where the buffer is made to be discarded. */
const discardableFrom = 2 ** 20;

/** Node has had these since 20; TypeScript's library knows them from es2024. */
type ResizableArrayBuffer = ArrayBuffer & { readonly resizable: boolean; resize(byteLength: number): void };
const ResizableArrayBuffer = ArrayBuffer as unknown as new (byteLength: number, options: { maxByteLength: number }) => ResizableArrayBuffer;

const released = new FinalizationRegistry<{ api: OrtApi; value: bigint }>(({ api, value }) => api.release("ReleaseValue", value));

/** A buffer of the CPU backend: aligned memory and the OrtValue over it. */
export class CpuBuffer implements DeviceBuffer {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Equal for equal types: a quick comparison. */
  readonly typeKey: string;
  readonly #environment: Environment;
  /** The buffer whose memory this one is a part of. */
  readonly #parent: CpuBuffer | undefined;
  #value: bigint;
  #host: TensorData | undefined;
  #users = 0;
  #freed = false;

  /** Over memory of one's own, which must not be on V8's heap (`new ArrayBuffer(n)` is not). */
  constructor(environment: Environment, type: TensorType, host: TensorData, parent?: CpuBuffer) {
    const { api, memoryInfo } = environment;
    this.dtype = type.dtype;
    this.shape = [...type.shape];
    this.typeKey = formatType(type);
    this.#environment = environment;
    this.#parent = parent;
    this.#host = host;
    const shape = BigInt64Array.from(type.shape, BigInt);
    this.#value = api.create(
      "CreateTensorWithDataAsOrtValue",
      memoryInfo,
      api.addressOf(host),
      host.byteLength,
      shape,
      shape.length,
      elementTypeOf[type.dtype],
    );
    released.register(this, { api, value: this.#value }, this);
  }

  get host(): TensorData | undefined {
    return this.#freed || (this.#parent !== undefined && this.#parent.host === undefined) ? undefined : this.#host;
  }

  /** The memory; throws where it has been given back. */
  get memory(): TensorData {
    const { host } = this;
    if (host === undefined) throw this.#freedError();
    return host;
  }

  /** The memory during a run that has retained it, even if free() was called meanwhile. */
  get heldMemory(): TensorData {
    if (this.#host === undefined) throw this.#freedError();
    return this.#host;
  }

  /** The OrtValue, for one run or the life of a session: between `retain` and `release` free() waits. */
  retain(): bigint {
    if (this.#freed) throw this.#freedError();
    this.#parent?.retain();
    this.#users++;
    return this.#value;
  }

  release(): void {
    this.#users--;
    if (this.#freed && this.#users === 0) this.#giveBack();
    this.#parent?.release();
  }

  /** Part of this buffer, from element `start`; using it after this one's free() is an error. */
  view(start: number, shape: Shape): CpuBuffer {
    const { memory } = this;
    const size = sizeOf(shape);
    if (!Number.isInteger(start) || start < 0 || start + size > memory.length) {
      throw new SparError(
        "runtime/invalid-view",
        `view: expected ${size} elements from ${start} within ${memory.length} of a ${this.typeKey} buffer`,
      );
    }
    return new CpuBuffer(this.#environment, { dtype: this.dtype, shape }, memory.subarray(start, start + size), this);
  }

  discard(): void {
    const buffer = this.#parent === undefined ? (this.#host?.buffer as ResizableArrayBuffer | undefined) : undefined;
    if (this.#users > 0 || buffer?.resizable !== true) return;
    // Its addresses stay reserved: the memory comes back in the same place, page by page when it is touched.
    const { byteLength } = buffer;
    buffer.resize(0);
    buffer.resize(byteLength);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#users === 0) this.#giveBack();
  }

  #giveBack(): void {
    released.unregister(this);
    this.#environment.api.release("ReleaseValue", this.#value);
    this.#value = 0n;
    const buffer = this.#host?.buffer as ResizableArrayBuffer | undefined;
    this.#host = undefined;
    if (buffer?.resizable === true && this.#parent === undefined) buffer.resize(0);
  }

  #freedError(): SparError {
    return new SparError("runtime/freed-buffer", `expected a live buffer, got a ${this.typeKey} buffer after its free()`);
  }
}

/** A zero-filled buffer. Throws `runtime/out-of-memory`. */
export function allocateBuffer(environment: Environment, type: TensorType, { discardable = false }: AllocateOptions = {}): CpuBuffer {
  return new CpuBuffer(environment, type, allocateHost(environment.api, type, discardable ? discardableFrom : mappedFrom));
}

function allocateHost(api: OrtApi, type: TensorType, mapFrom: number): TensorData {
  const byteLength = byteLengthOf(type);
  try {
    if (byteLength >= mapFrom) return viewMemory(type, new ResizableArrayBuffer(byteLength, { maxByteLength: byteLength }), 0);
    const memory = new ArrayBuffer(byteLength + alignment);
    const misaligned = Number(api.addressOf(new Uint8Array(memory)) % BigInt(alignment));
    return viewMemory(type, memory, misaligned === 0 ? 0 : alignment - misaligned);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SparError("runtime/out-of-memory", `allocateBuffer: cannot get ${byteLength} bytes for ${formatType(type)}`, {
      hint: "use smaller batches, shorter sequences, a smaller model, or gradient_checkpointing",
      cause,
    });
  }
}

/** A typed array of `type` over part of `memory`; bool is one byte an element. */
export function viewMemory(type: TensorType, memory: ArrayBuffer, byteOffset: number): TensorData {
  const length = sizeOf(type.shape);
  if (type.dtype === "float32") return new Float32Array(memory, byteOffset, length);
  if (type.dtype === "int32") return new Int32Array(memory, byteOffset, length);
  if (type.dtype === "int64") return new BigInt64Array(memory, byteOffset, length);
  return new Uint8Array(memory, byteOffset, length);
}
