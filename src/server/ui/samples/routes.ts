/** The Samples room: texts of runs, reports and files side by side, new ones on demand, scores by token, blind comparisons. */
import { Hono } from "hono";
import { z } from "zod";
import { createBlindStudies, type LabelRoom } from "./blind-studies.ts";
import { generateSamples, generateSchema } from "./generate-samples.ts";
import type { ModelPool } from "../model-pool.ts";
import { readBody } from "../read-body.ts";
import { layOutGrid, type ChosenColumn } from "./grid.ts";
import { createSampleSources, type LoadedSource } from "./sources.ts";
import type { GenerateEvent, HeatAnswer } from "./protocol.ts";
import { seedSchema } from "../sampling-request.ts";
import { scoreByToken } from "./score-heat.ts";
import { streamToPage } from "../stream-lines.ts";
import { RequestError } from "../ui-error.ts";
import type { Workspace } from "../workspace.ts";

export interface SamplesRoutesOptions {
  readonly workspace: Pick<Workspace, "root" | "runsFolders" | "dataFiles">;
  /** Shared with the Chat room; the caller closes it. */
  readonly pool: ModelPool;
  /** Where blind comparisons are labelled. */
  readonly room: LabelRoom;
  /** Told of bugs. */
  readonly onError?: (error: unknown) => void;
}

const gridSchema = z.strictObject({
  columns: z.array(z.string()).min(1).max(8),
  search: z.string().max(1000).optional(),
  only: z.enum(["all", "every", "differ"]).optional(),
  sort: z.strictObject({ by: z.string(), column: z.string().optional(), descending: z.boolean().optional() }).optional(),
  offset: z.number().int().min(0).optional(),
  limit: z.number().int().min(1).max(200).optional(),
});

const promptSchema = z.union([z.string(), z.array(z.strictObject({ role: z.string(), content: z.string() }))]);
const heatSchema = z.strictObject({
  model: z.string(),
  items: z
    .array(z.strictObject({ prompt: promptSchema, text: z.string() }))
    .min(1)
    .max(64),
});

const blindSchema = z.strictObject({
  columns: z.tuple([z.string(), z.string()]),
  count: z.number().int().min(1).optional(),
  seed: seedSchema.optional(),
});

export interface SamplesRoutes {
  readonly routes: Hono;
  /** Hands the blind comparisons of earlier servers to the Label room; call it once, before the first page comes. */
  reopenStudies(): Promise<void>;
}

export function createSamplesRoutes({ workspace, pool, room, onError }: SamplesRoutesOptions): SamplesRoutes {
  const { root } = workspace;
  const app = new Hono();
  const sources = createSampleSources(workspace);
  const studies = createBlindStudies(root, room);

  const chooseColumns = async (ids: readonly string[]): Promise<ChosenColumn[]> => {
    const all = new Map((await sources.loadColumns(ids)).flatMap(listColumns));
    return ids.map((id) => {
      const column = all.get(id);
      if (column === undefined)
        throw new RequestError(404, "ui/no-column", "one of the chosen columns is not there any more", {
          hint: "Choose the columns again.",
        });
      return column;
    });
  };

  app.get("/sources", async () => Response.json((await sources.load()).map(({ source }) => source)));
  app.post("/grid", async (context) => {
    const request = await readBody(context, gridSchema);
    return Response.json(layOutGrid(await chooseColumns(request.columns), request));
  });
  app.post("/generate", async (context) => {
    const request = await readBody(context, generateSchema);
    return streamToPage<GenerateEvent>(context, (send, signal) => generateSamples(request, { root, pool, sources }, send, signal), onError);
  });
  app.post("/heat", async (context) => {
    const { model, items } = await readBody(context, heatSchema);
    const { signal } = context.req.raw;
    const answer: HeatAnswer = { model, items: await pool.useScore(model, (loaded) => scoreByToken(loaded, items, signal), { signal }) };
    return Response.json(answer);
  });
  app.post("/blind", async (context) => {
    const { columns, count, seed = 0 } = await readBody(context, blindSchema);
    const [a, b] = (await chooseColumns(columns)).map(({ owner, column }) => ({ name: owner, column }));
    return Response.json(await studies.create([a, b], { count, seed }));
  });
  app.get("/blind", async () => Response.json(await studies.list()));
  return { routes: app, reopenStudies: () => studies.reopen() };
}

function listColumns({ source: { name, kind, columns: all }, columns }: LoadedSource): [string, ChosenColumn][] {
  return all.map((described, i) => {
    // What was generated here has the model's own name.
    const owner = kind === "generated" || name === described.name ? described.name : `${name}, ${described.name}`;
    return [described.id, { described, source: name, owner, column: columns[i] }];
  });
}
