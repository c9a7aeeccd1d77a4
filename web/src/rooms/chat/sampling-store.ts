/** How answers are drawn, kept in this browser: what the person chose, else what the model says of itself. */
import { signal } from "@preact/signals";
import type { Sampling } from "../../../../src/server/ui/chat/protocol.ts";
import { readStored, writeStored } from "../../stored.ts";

const key = "spar.chat.sampling";

interface Stored {
  readonly sampling: Partial<Sampling>;
  readonly seed: number;
  readonly varies: boolean;
}

const stored = readStored<Stored>(key);

/** Only what was chosen; the server takes the rest from the model. */
export const sampling = signal<Partial<Sampling>>(stored?.sampling ?? {});
export const seed = signal(stored?.seed ?? 1);
/** Each answer has a seed of its own: the next one. Otherwise the same question gets the same answer. */
export const seedVaries = signal(stored?.varies ?? true);

let used = false;

export function chooseSampling(change: Partial<Sampling>): void {
  sampling.value = { ...sampling.value, ...change };
  save();
}

export function resetSampling(): void {
  sampling.value = {};
  save();
}

export function chooseSeed(next: number, varies = seedVaries.value): void {
  seed.value = next;
  seedVaries.value = varies;
  used = false;
  save();
}

/** The seed of the next answer. */
export function nextSeed(): number {
  if (used && seedVaries.value) {
    seed.value = (seed.value + 1) >>> 0;
    save();
  }
  used = true;
  return seed.value;
}

function save(): void {
  writeStored(key, { sampling: sampling.value, seed: seed.value, varies: seedVaries.value });
}
