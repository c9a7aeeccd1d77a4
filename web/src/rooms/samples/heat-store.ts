/** Scores by token, asked for once a text and model. */
import { signal } from "@preact/signals";
import type { Heat, HeatAnswer, SamplePrompt } from "../../../../src/server/ui/samples/protocol.ts";
import { api } from "../../api.ts";
import { showError } from "../../components/toast.tsx";
import { readStored, writeStored } from "../../stored.ts";
import type { HeatMeasure } from "./heat-values.ts";

export type HeatEntry = Heat | { readonly error: string };
const keys = { model: "spar.samples.reward", measure: "spar.samples.measure" };
const most = 64;

export const rewardModel = signal(readStored<string>(keys.model) ?? "");
export const measure = signal<HeatMeasure>(readStored<HeatMeasure>(keys.measure) ?? "change");
export const heats = signal<ReadonlyMap<string, HeatEntry>>(new Map());
export const isScoring = signal(false);
const asked = new Set<string>();

export function chooseRewardModel(id: string): void {
  rewardModel.value = id;
  writeStored(keys.model, id);
}

export function chooseMeasure(next: HeatMeasure): void {
  measure.value = next;
  writeStored(keys.measure, next);
}

export interface HeatItem {
  readonly prompt: SamplePrompt;
  readonly text: string;
}

export const keyOf = (model: string, { prompt, text }: HeatItem): string => JSON.stringify([model, prompt, text]);

export async function loadHeats(model: string, items: readonly HeatItem[]): Promise<void> {
  const missing = items.filter((item) => !asked.has(keyOf(model, item)));
  if (model === "" || missing.length === 0) return;
  for (const item of missing) asked.add(keyOf(model, item));
  isScoring.value = true;
  try {
    for (let start = 0; start < missing.length; start += most) {
      const part = missing.slice(start, start + most);
      const answer = await api.post<HeatAnswer>("/samples/heat", { model, items: part });
      const next = new Map(heats.value);
      for (const [i, item] of part.entries()) next.set(keyOf(model, item), answer.items[i]);
      heats.value = next;
    }
  } catch (error) {
    for (const item of missing) asked.delete(keyOf(model, item));
    showError(error);
  } finally {
    isScoring.value = false;
  }
}
