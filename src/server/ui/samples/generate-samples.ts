/** "Generate now": the same prompts through several models, one model after the other, kept as a file of completions. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ModelPool } from "../model-pool.ts";
import { generatedFolder, type SampleSources } from "./sources.ts";
import { samplingSchema, seedSchema, toSettings } from "../sampling-request.ts";
import type { GenerateEvent } from "./protocol.ts";
import { describeProblem } from "../stream-lines.ts";

export const generateSchema = z.strictObject({
  models: z.array(z.string()).min(1).max(4),
  prompts: z.array(z.string().min(1).max(100_000)).min(1).max(64),
  n: z.number().int().min(1).max(8).optional(),
  sampling: samplingSchema,
  seed: seedSchema,
});

interface Finished {
  readonly row: number;
  readonly text: string;
  readonly finishReason: "stop" | "length";
}

/** Row i of a model is candidate i mod n of prompt ⌊i ÷ n⌋. What is done when the page leaves is kept all the same. */
export async function generateSamples(
  { models, prompts, n = 1, sampling, seed }: z.output<typeof generateSchema>,
  { root, pool, sources }: { readonly root: string; readonly pool: ModelPool; readonly sources: SampleSources },
  send: (event: GenerateEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const names = new Map((await pool.list()).map(({ id, name }) => [id, name]));
  const settings = toSettings(sampling, seed);
  const made: { model: string; isChat: boolean; cells: Finished[] }[] = [];
  for (const model of new Set(models)) {
    const cells: Finished[] = [];
    try {
      await pool.useLanguage(
        model,
        async ({ service, tokenizer }) => {
          const isChat = tokenizer.hasChatTemplate;
          made.push({ model: names.get(model) ?? model, isChat, cells });
          const asked = prompts.map((prompt) =>
            isChat ? tokenizer.encodeChat([{ role: "user", content: prompt }], { addGenerationPrompt: true }) : tokenizer.encode(prompt),
          );
          const answers = service.text(
            { model: undefined, settings, n, top: undefined, stream: true, streamUsage: false, prompts: asked },
            signal,
          );
          await answers.run({
            onPiece: ({ index, text }) => {
              if (text !== "") send({ type: "text", model, row: index, text });
            },
            onAnswer({ index, text, finishReason }) {
              cells.push({ row: index, text, finishReason });
              send({ type: "cell", model, row: index, text, finishReason });
            },
          });
        },
        { signal, onLoading: () => send({ type: "loading", model }) },
      );
    } catch (error) {
      if (signal.aborted) break;
      const { code, message } = describeProblem(error);
      if (code === "internal/bug") throw error;
      send({ type: "failed", model, code, message });
    }
  }
  const isChat = made.length > 0 && made.every((one) => one.isChat);
  const rows = made.flatMap(({ model, cells }) =>
    cells
      .sort((a, b) => a.row - b.row)
      .map(({ row, text, finishReason }) => {
        const asked = prompts[Math.floor(row / n)];
        const prompt = isChat ? [{ role: "user", content: asked }] : asked;
        return { prompt, completion: text, model, finish_reason: finishReason, seed, candidate: row % n };
      }),
  );
  if (rows.length === 0) return send({ type: "end", source: null });
  const folder = join(root, generatedFolder);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  const path = join(folder, `generated-${stamp}-${randomBytes(2).toString("hex")}.jsonl`);
  await mkdir(folder, { recursive: true });
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  send({ type: "end", source: (await sources.loadFile(path, "generated"))?.source ?? null });
}
