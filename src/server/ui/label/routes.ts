/** The label room's side of `protocol.ts`. */
import { Hono } from "hono";
import { z } from "zod";
import { SparError } from "../../../internal/errors.ts";
import { quoteWord } from "../../../internal/quote-word.ts";
import { showPath } from "../../../internal/show-path.ts";
import { drawSides, type LabelProgress, type LabelProject, type NewLabel, type SubmitResult } from "../../../labeling/index.ts";
import type { EventHub } from "../event-hub.ts";
import type { LabelProjects } from "./projects.ts";
import type {
  Disagreement,
  GivenLabel,
  Guidelines,
  NextAnswer,
  Progress,
  Project,
  ProjectSummary,
  Statistics,
  SubmitAnswer,
} from "./protocol.ts";
import { parseShownId, readSubmitted, showLabel, showTask } from "./shown-task.ts";
import { RequestError } from "../ui-error.ts";

export interface LabelRoutesOptions {
  readonly projects: LabelProjects;
  readonly hub: EventHub;
}

/** Pages are told of progress at most so often, in milliseconds. */
const progressPause = 250;
/** Rows that history and disagreements give at most. */
const mostListed = 500;

const text = (max: number) => z.string().max(max);
/** A name for people, which is also a key: no control characters, nothing empty. */
const name = z
  .string()
  .trim()
  .min(1)
  .max(80)
  .regex(/^\P{Cc}+$/u, "expected a name without control characters");
const key = z.string().min(1).max(300);
const place = z.int().min(0).max(25);

const nextRequest = z.object({
  annotator: name,
  tab: z.string().min(1).max(100),
  held: z.array(key).max(50),
  count: z.int().min(0).max(10),
});

const submittedLabel = z.object({
  id: z.string().regex(/^[\w-]{8,64}$/, "expected a UUID"),
  task: key,
  annotator: name,
  choice: z.enum(["left", "right", "tie", "both_bad", "skip", "flag"]).nullable(),
  strength: z.literal([1, 2, 3]).optional(),
  ranking: z.array(z.array(place).min(1).max(26)).min(1).max(26).optional(),
  ratings: z.array(z.number().nullable()).max(26).optional(),
  edit: z.object({ answer: place, text: text(1_000_000) }).optional(),
  reasons: z.array(text(200)).max(50).optional(),
  comment: text(20_000).optional(),
  milliseconds: z.number().min(0).max(1e12),
  guidelinesVersion: z.int().min(0),
  revises: key.optional(),
  undoes: key.optional(),
});

/** Labels are checked one by one: one that is wrong must not keep the others from being saved. */
const submitRequest = z.object({ labels: z.array(z.unknown()).min(1).max(500) });
const guidelinesUpdate = z.object({ text: text(200_000), after: z.int().min(0) });

export function createLabelRoutes({ projects, hub }: LabelRoutesOptions): Hono {
  const app = new Hono();
  hub.register("label", (topic) => watchProgress(projects, topic.slice("label:".length), (data) => hub.publish(topic, data)));
  app.get("/projects", ({ json }) => json(projects.list().map(summarise)));
  app.get("/projects/:project", ({ req, json }) => json(describe(projects.get(req.param("project")))));
  app.post("/projects/:project/next", async ({ req, json }) => {
    const project = projects.get(req.param("project"));
    const { annotator, tab, held, count } = parse(nextRequest, await readJson(req.raw));
    const ids = held.flatMap((shown) => parseShownId(shown)?.id ?? []);
    const tasks = project.next(annotator, tab, ids, count);
    const { seed } = project.settings;
    const shown = tasks.map((task) => showTask(task.id, task, drawSides(seed, task.id, annotator, task.candidates.length)));
    return json({ tasks: shown, progress: project.progress(annotator) } satisfies NextAnswer);
  });
  app.post("/projects/:project/labels", async ({ req, json }) => {
    const project = projects.get(req.param("project"));
    const { labels } = parse(submitRequest, await readJson(req.raw));
    const { saved, refused } = await submit(project, labels);
    return json({ saved, refused, progress: project.progress(annotatorOf(labels[0])) } satisfies SubmitAnswer);
  });
  app.get("/projects/:project/history", ({ req, json }) => {
    const project = projects.get(req.param("project"));
    const annotator = parse(name, req.query("annotator"));
    const limit = parse(z.coerce.number().int().min(1).max(mostListed), req.query("limit") ?? 50);
    const given = project.history(annotator, limit).map(({ label, state }): GivenLabel => {
      return { label: showLabel(label), task: showTask(label.task, label, label.order), given: label.given, state };
    });
    return json(given);
  });
  app.get("/projects/:project/statistics", ({ req, json }) => {
    return json(projects.get(req.param("project")).statistics() satisfies Statistics);
  });
  app.get("/projects/:project/disagreements", ({ req, json }) => {
    return json(listDisagreements(projects.get(req.param("project"))));
  });
  app.put("/projects/:project/guidelines", async ({ req, json }) => {
    const project = projects.get(req.param("project"));
    const update = parse(guidelinesUpdate, await readJson(req.raw));
    return json((await answerConflicts(() => project.updateGuidelines(update.text, update.after))) satisfies Guidelines);
  });
  return app;
}

function summarise(project: LabelProject): ProjectSummary {
  const { id, name: called, mode } = project;
  return { id, name: called, mode, progress: project.progress() };
}

function describe(project: LabelProject): Project {
  const { reasonTags, ratingMax, settings, pairsPath } = project;
  const summary = summarise(project);
  const annotators = Object.keys(summary.progress.annotators);
  const pairsFile = quoteWord(showPath(pairsPath));
  return { ...summary, guidelines: project.guidelines(), reasonTags, ratingMax, annotators, order: settings.order, pairsFile };
}

/** A page sends the labels of one person. */
function annotatorOf(label: unknown): string {
  return name.safeParse(typeof label === "object" && label !== null && "annotator" in label ? label.annotator : undefined).data ?? "";
}

async function submit(project: LabelProject, labels: readonly unknown[]): Promise<SubmitResult> {
  const refused: SubmitResult["refused"][number][] = [];
  const rows: NewLabel[] = [];
  for (const given of labels) {
    const parsed = submittedLabel.safeParse(given);
    if (!parsed.success) {
      const id = typeof given === "object" && given !== null && "id" in given && typeof given.id === "string" ? given.id.slice(0, 64) : "";
      refused.push({ id, code: "invalid", message: explain(parsed.error) });
      continue;
    }
    const label = parsed.data;
    const shown = parseShownId(label.task);
    const task = shown === undefined ? undefined : project.task(shown.id);
    if (shown === undefined || task === undefined)
      refused.push({ id: label.id, code: "unknown-task", message: `there is no task ${JSON.stringify(label.task)} in ${project.name}` });
    else if (shown.order.length !== task.candidates.length || !fits(label, task.candidates.length))
      refused.push({
        id: label.id,
        code: "invalid",
        message: `the task has ${task.candidates.length} answers, and the label is of others`,
      });
    else rows.push(readSubmitted(label as Parameters<typeof readSubmitted>[0], shown.id, shown.order));
  }
  const result = await answerConflicts(() => project.submit(rows));
  return { saved: result.saved, refused: [...refused, ...result.refused] };
}

function fits({ choice, ranking, ratings, edit }: z.infer<typeof submittedLabel>, count: number): boolean {
  if ((choice === "left" || choice === "right") && count !== 2) return false;
  if (ranking?.flat().some((at) => at >= count) === true) return false;
  if (ratings !== undefined && ratings.length !== count) return false;
  return edit === undefined || edit.answer < count;
}

function listDisagreements(project: LabelProject): Disagreement[] {
  return project
    .dividedTasks()
    .slice(0, mostListed)
    .map(({ labels, entropy }) => {
      const [label] = labels;
      const order = label.candidates.map((_, index) => index);
      return {
        task: showTask(label.task, label, order),
        labels: labels.map((given) => {
          const { annotator, choice, ranking, ratings, reasons = [], comment = "" } = showLabel(given, order);
          return {
            annotator,
            choice,
            ...(ranking === undefined ? {} : { ranking }),
            ...(ratings === undefined ? {} : { ratings }),
            reasons,
            comment,
          };
        }),
        entropy,
      };
    });
}

/** The first change at once, those that follow together. */
function watchProgress(projects: LabelProjects, id: string, publish: (progress: Progress) => void): () => void {
  const project = projects.list().find((each) => each.id === id);
  if (project === undefined) return () => {};
  let timer: NodeJS.Timeout | undefined;
  let last = 0;
  const tell = (): void => {
    timer = undefined;
    last = Date.now();
    publish(project.progress() satisfies LabelProgress);
  };
  const stop = project.onChange(() => {
    timer ??= setTimeout(tell, Math.max(0, last + progressPause - Date.now()));
    timer.unref();
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}

async function answerConflicts<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SparError)) throw error;
    const status = { "labeling/guidelines-changed": 409, "labeling/not-saved": 503 }[error.code];
    if (status === undefined) throw error;
    throw new RequestError(status, error.code, error.message, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
  }
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch (cause) {
    throw new RequestError(400, "label/bad-request", "expected a request in JSON", { cause });
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RequestError(400, "label/bad-request", explain(parsed.error));
}

function explain({ issues }: z.ZodError): string {
  return issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`)
    .join("; ");
}
