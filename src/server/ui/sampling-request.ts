/** Sampling as pages ask for it: the ranges are those of the settings themselves. */
import { z } from "zod";
import type { GenerationSettings } from "../../generation/index.ts";
import type { Sampling } from "./chat/protocol.ts";

export const samplingSchema = z.strictObject({
  maxNewTokens: z.number().int().min(1).max(1_000_000).optional(),
  temperature: z.number().min(0).max(100).optional(),
  topP: z.number().gt(0).max(1).optional(),
  topK: z.number().int().min(0).optional(),
  minP: z.number().min(0).max(1).optional(),
  repetitionPenalty: z.number().gt(0).max(100).optional(),
});

export const seedSchema = z
  .number()
  .int()
  .transform((seed) => seed >>> 0);

/** Only what was asked for, so that the model's own settings stand where nothing was. */
export function toSettings(sampling: z.output<typeof samplingSchema>, seed: number): Partial<GenerationSettings> {
  const given = Object.entries(sampling).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as Partial<Sampling>), seed };
}
