import { SparError } from "../internal/errors.ts";
import { formatPlace, type RowPlace } from "./row.ts";

const LISTED = 5;

/** Gathers what is wrong with the rows of a file or data set, so that all of it is said at once. */
export class BadRows {
  readonly #operation: string;
  readonly #expected: string;
  readonly #onBad: ((place: RowPlace, found: string) => void) | undefined;
  readonly #listed: string[] = [];
  #count = 0;

  /**
   * `operation`: what was being done ("reading train.jsonl"); `expected`: what a good row looks like; `onBad` takes the rows over:
   * then `throwIfAny` does not throw.
   */
  constructor(operation: string, expected: string, onBad?: (place: RowPlace, found: string) => void) {
    this.#onBad = onBad;
    this.#operation = operation;
    this.#expected = expected;
  }

  get count(): number {
    return this.#count;
  }

  add(place: RowPlace, found: string): void {
    this.#count++;
    this.#onBad?.(place, found);
    if (this.#listed.length < LISTED) this.#listed.push(`  ${formatPlace(place)}: ${found}`);
  }

  /** Throws `data/bad-rows` when a row was added; `total` is the number of rows seen. */
  throwIfAny(total: number): void {
    if (this.#count === 0 || this.#onBad !== undefined) return;
    const more = this.#count > this.#listed.length ? [`  … and ${this.#count - this.#listed.length} more`] : [];
    throw new SparError(
      "data/bad-rows",
      [`${this.#operation}: ${this.#count} of ${total} rows cannot be used`, ...this.#listed, ...more].join("\n"),
      { hint: `expected ${this.#expected}` },
    );
  }
}
