/** The runs room's answers: see protocol.ts. */
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { Hono, type Context } from "hono";
import { parse } from "yaml";
import { z } from "zod";
import type { EventHub } from "../event-hub.ts";
import { createRunsCatalog, type CatalogRun } from "./catalog.ts";
import type { Columns } from "./columns.ts";
import { readControl, writeControl } from "./control.ts";
import { serveLiveRuns } from "./live.ts";
import type {
  Axis,
  ControlAnswer,
  EventsAnswer,
  RunConfig,
  RunDetail,
  RunList,
  RunSummary,
  Series,
  SeriesAnswer,
  TableInfo,
} from "./protocol.ts";
import { sampleSeries } from "./series.ts";
import { createRunStore } from "./store.ts";
import { RequestError } from "../ui-error.ts";

export interface RunsRoutesOptions {
  /** Where spar was started. */
  readonly root: string;
  /** Folders below which runs are looked for. */
  readonly runsFolders: readonly string[];
  readonly hub: EventHub;
}

const maxKeys = 200;
const maxPoints = 20_000;
const maxConfigBytes = 2 ** 20;

const seriesQuery = z.object({
  keys: z.string().default(""),
  source: z.enum(["metrics", "system"]).default("metrics"),
  x: z.enum(["step", "time", "tokens"]).default("step"),
  points: z.coerce.number().int().min(2).max(maxPoints).default(1000),
  from: z.coerce.number().default(-Infinity),
  to: z.coerce.number().default(Infinity),
});
const samplesQuery = z.object({
  step: z.coerce.number().optional(),
  text: z.string().max(1000).optional(),
  sort: z.enum(["file", "score", "-score"]).default("file"),
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
const controlBody = z.object({ request: z.enum(["stop", "pause", "save", "resume"]) });

export function createRunsRoutes({ root, runsFolders, hub }: RunsRoutesOptions): Hono {
  const catalog = createRunsCatalog({ root, folders: runsFolders });
  const store = createRunStore();
  const app = new Hono();

  const listRuns = async (): Promise<RunList> => ({
    runs: await Promise.all((await catalog.list()).map((run) => catalog.summarize(run))),
    folders: runsFolders.map((folder) => relative(root, folder) || "."),
  });
  serveLiveRuns({ hub, catalog, store, listRuns });

  async function findRun(context: Context): Promise<CatalogRun> {
    const id = context.req.param("run") ?? "";
    const run = await catalog.find(id);
    if (run === undefined) {
      throw new RequestError(404, "runs/not-found", `there is no run ${JSON.stringify(id.slice(0, 100))}`, {
        hint: "It may have been started over (then it has another id) or removed; the list has those that are there.",
      });
    }
    return run;
  }

  app.get("/", async () => Response.json(await listRuns()));

  app.get("/:run", async (context) => {
    const run = await findRun(context);
    const files = store.open(run);
    const { metrics, system, samples, events } = files;
    await Promise.all([metrics.refresh(), system.refresh(), samples.refresh(), events.refresh()]);
    const summary = await catalog.summarize(run);
    const { values } = await readConfig(run.folder);
    const target = await findControlled(summary);
    const runs = await catalog.list();
    const parent = runs.find(({ id }) => id === summary.parent);
    const stages = runs.filter(({ id, record }) => record.parent === run.id && id !== run.id).reverse();
    const detail: RunDetail = {
      ...summary,
      folder: run.folder,
      parentName: parent === undefined ? null : (await catalog.summarize(parent)).name,
      stages: (await Promise.all(stages.map((stage) => catalog.summarize(stage)))).map(({ id, name, method, status }) => ({
        id,
        name,
        method,
        status,
      })),
      steps: estimateSteps(values, metrics),
      generation: files.generation(),
      metrics: describeTable(metrics),
      system: describeTable(system),
      samples: { rows: samples.rows, steps: samples.steps },
      events: { rows: events.rows, warnings: events.warnings, signs: files.signs().length },
      axes: files.axes(),
      targets: values["adap_kl_ctrl"] === true && typeof values["kl_target"] === "number" ? { "objective/kl": values["kl_target"] } : {},
      uncontrollable: "reason" in target ? target.reason : null,
      control: "reason" in target ? null : await readControl(target.folder),
    };
    return Response.json(detail);
  });

  app.get("/:run/series", async (context) => {
    const run = await findRun(context);
    const { keys: names, source, x: axis, points, from, to } = parseRequest(seriesQuery, context.req.query());
    const keys = [...new Set(names.split(",").filter((key) => key !== ""))];
    if (keys.length === 0 || keys.length > maxKeys) {
      throw new RequestError(
        400,
        "runs/bad-request",
        `keys: expected 1 to ${maxKeys} names with commas between them, found ${keys.length}`,
      );
    }
    const files = store.open(run);
    await Promise.all([files.metrics.refresh(), files.system.refresh()]);
    const columns = files[source];
    const places = files.places(source, axis);
    const series = Object.fromEntries(
      keys.flatMap((key): [string, Series][] => {
        const column = columns.column(key);
        return column === undefined ? [] : [[key, sampleSeries(places, column, { from, to, points })]];
      }),
    );
    return Response.json({ x: axis satisfies Axis, rows: columns.rows, series } satisfies SeriesAnswer);
  });

  app.get("/:run/config", async (context) => Response.json(await readConfig((await findRun(context)).folder)));

  app.get("/:run/samples", async (context) => {
    const run = await findRun(context);
    const query = parseRequest(samplesQuery, context.req.query());
    const { samples } = store.open(run);
    await samples.refresh();
    return Response.json(await samples.find(query));
  });

  app.get("/:run/events", async (context) => {
    const files = store.open(await findRun(context));
    await Promise.all([files.events.refresh(), files.metrics.refresh()]);
    return Response.json({ events: await files.events.last(), signs: files.signs() } satisfies EventsAnswer);
  });

  app.post("/:run/control", async (context) => {
    const run = await findRun(context);
    const { request } = parseRequest(controlBody, await context.req.json().catch(() => undefined));
    const target = await findControlled(await catalog.summarize(run));
    if ("reason" in target) throw new RequestError(409, "runs/not-controllable", `cannot ${request} the run: ${target.reason}`);
    await writeControl(target.folder, request);
    return Response.json({ control: await readControl(target.folder) } satisfies ControlAnswer);
  });

  /** The folder whose control file the run obeys: a stage of self-play obeys that of the whole. */
  async function findControlled({ id, status, method }: RunSummary): Promise<{ folder: string } | { reason: string }> {
    if (status !== "running" && status !== "paused") return { reason: "it is not running" };
    if (method === "quickstart") return { reason: "the quickstart itself takes no requests; the stage that is running does" };
    const runs = await catalog.list();
    let run = runs.find((candidate) => candidate.id === id)!;
    for (;;) {
      const parent = runs.find((candidate) => candidate.id === run.record.parent);
      if (parent === undefined || !/^(self-rewarding|spin)$/.test(parent.record.method)) return { folder: run.folder };
      run = parent;
    }
  }

  return app;
}

function parseRequest<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new RequestError(400, "runs/bad-request", `${issue.path.join(".") || "the request"}: ${issue.message}`);
}

function describeTable(columns: Columns): TableInfo {
  return { rows: columns.rows, keys: columns.keys.map((key) => ({ key, ...columns.describe(key) })) };
}

async function readConfig(folder: string): Promise<RunConfig> {
  let yaml = "";
  try {
    yaml = (await readFile(join(folder, "config.yaml"), "utf8")).slice(0, maxConfigBytes);
  } catch {
    // A run without one, or one that is about to write it.
  }
  const values = Object.create(null) as { [key: string]: unknown };
  try {
    flatten(parse(yaml, { maxAliasCount: 0 }), "", values);
  } catch {
    // Shown as text all the same.
  }
  return { yaml, values };
}

function flatten(value: unknown, name: string, into: { [key: string]: unknown }): void {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (isMapping) for (const [key, inner] of Object.entries(value)) flatten(inner, name === "" ? key : `${name}.${key}`, into);
  else if (name !== "") into[name] = value;
}

/** How many steps the run will have, by its recipe and by how far an epoch (or an episode) brought it; null: cannot be known yet. */
function estimateSteps(values: RunConfig["values"], metrics: Columns): number | null {
  const asNumber = (key: string): number => (typeof values[key] === "number" ? values[key] : 0);
  if (asNumber("max_steps") > 0) return asNumber("max_steps");
  const step = metrics.describe("step").last ?? 0;
  const [done, wanted] =
    asNumber("total_episodes") > 0
      ? [metrics.describe("episode").last ?? 0, asNumber("total_episodes")]
      : [metrics.describe("epoch").last ?? 0, asNumber("num_train_epochs")];
  return step > 0 && done > 0 && wanted > 0 ? Math.max(step, Math.ceil(Number(((step * wanted) / done).toFixed(6)))) : null;
}
