/** Means of the values between two logs, as TRL logs them; its state travels with checkpoints. */
import type { JsonValue } from "../checkpoint/index.ts";

export class MetricAverager {
  #sums = new Map<string, { sum: number; count: number }>();

  add(values: { readonly [name: string]: number }): void {
    for (const [name, value] of Object.entries(values)) {
      // The step has no such value (no row was scored, no token learnt): the mean is over those that have.
      if (!Number.isFinite(value)) continue;
      const known = this.#sums.get(name) ?? { sum: 0, count: 0 };
      this.#sums.set(name, { sum: known.sum + value, count: known.count + 1 });
    }
  }

  /** The means since the last call. */
  take(): { [name: string]: number } {
    const means = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.#sums.clear();
    return means;
  }

  get state(): JsonValue {
    return Object.fromEntries(this.#sums);
  }

  restore(state: JsonValue): void {
    this.#sums = new Map(Object.entries(state as { [name: string]: { sum: number; count: number } }));
  }
}
