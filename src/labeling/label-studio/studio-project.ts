/** Projects by name, and pages of what is in them. */

import { SparError } from "../../internal/errors.ts";
import { LostRequest, type StudioClient } from "./studio-client.ts";

export interface StudioProject {
  readonly id: number;
  readonly title: string;
  readonly config: string;
}

type Json = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** What every answer of Label Studio must be here. Throws `label-studio/not-label-studio`. */
export function readObject(value: unknown, purpose: string): Json {
  if (isObject(value)) return value;
  throw new SparError(
    "label-studio/not-label-studio",
    `${purpose}: expected a JSON object, found ${JSON.stringify(value)?.slice(0, 60) ?? "nothing"}`,
    {
      hint: "Is that the address of Label Studio itself, without a path like /projects?",
    },
  );
}

/**
 * The project of that title; where none has it and `name` is a number, the project of that number. Undefined where there is neither.
 * Throws `label-studio/projects` where several have the title.
 */
export async function findStudioProject(client: StudioClient, name: string): Promise<StudioProject | undefined> {
  const purpose = `looking for the project ${JSON.stringify(name)}`;
  const found = new Map<number, StudioProject>();
  for (let page = 1; ; page++) {
    const answer = await client.request("/api/projects/", {
      query: { page, page_size: 100, include: "id,title,label_config" },
      purpose,
      accept: [404],
    });
    if (answer === undefined && page > 1) break;
    const { results, next } = readObject(answer, purpose);
    for (const item of Array.isArray(results) ? (results as unknown[]) : []) {
      if (isObject(item) && item["title"] === name) found.set(Number(item["id"]), readProject(item));
    }
    if (typeof next !== "string" || !Array.isArray(results) || results.length === 0) break;
  }
  const [project] = found.values();
  if (found.size > 1)
    throw new SparError(
      "label-studio/projects",
      `${found.size} projects are called ${JSON.stringify(name)}: ${[...found.keys()].sort((a, b) => a - b).join(", ")}`,
      {
        hint: "Give one of those numbers to --project.",
      },
    );
  if (project !== undefined || !/^\d+$/.test(name)) return project;
  const answer = await client.request(`/api/projects/${name}/`, { purpose, accept: [404] });
  return answer === undefined ? undefined : readProject(readObject(answer, purpose));
}

/** As `findStudioProject`. Throws `label-studio/no-project`. */
export async function openStudioProject(client: StudioClient, name: string): Promise<StudioProject> {
  const project = await findStudioProject(client, name);
  if (project !== undefined) return project;
  throw new SparError(
    "label-studio/no-project",
    `Label Studio at ${client.url} has no project ${JSON.stringify(name)} that this token may see`,
    {
      hint: "--project takes a title, spelled as in Label Studio, or the number in the project's address. spar label-studio push makes a project.",
    },
  );
}

export interface NewProject {
  readonly title: string;
  readonly config: string;
  readonly annotatorsPerTask: number;
}

/** Makes a project, once: where the answer got lost, it looks first whether the project is there. */
export async function createStudioProject(client: StudioClient, { title, config, annotatorsPerTask }: NewProject): Promise<StudioProject> {
  const purpose = `making the project ${JSON.stringify(title)}`;
  if ([...title].length < 3 || [...title].length > 50)
    throw new SparError("label-studio/title", `${purpose}: Label Studio wants titles of 3 to 50 characters, found ${[...title].length}`, {
      hint: "Choose another --project.",
    });
  const body = {
    title,
    label_config: config,
    description: "Made by spar label-studio push",
    show_skip_button: true,
    enable_empty_annotation: false,
    maximum_annotations: annotatorsPerTask,
  };
  for (let tries = 0; ; tries++) {
    try {
      return readProject(readObject(await client.request("/api/projects/", { method: "POST", body, purpose }), purpose));
    } catch (error) {
      if (!(error instanceof LostRequest)) throw error;
      const made = await findStudioProject(client, title);
      if (made !== undefined) return made;
      if (tries >= 4) throw error;
    }
  }
}

/**
 * Every task of a project, in Label Studio's order, each once, although somebody may add or delete some in the meantime.
 * @param fields the columns that are needed
 */
export async function listStudioTasks(
  client: StudioClient,
  project: StudioProject,
  {
    fields,
    pageSize,
    onPage,
  }: { fields: readonly string[]; pageSize: number; onPage?: ((count: number, total: number) => void) | undefined },
): Promise<Map<number, Json>> {
  const purpose = `reading the tasks of ${JSON.stringify(project.title)}`;
  const tasks = new Map<number, Json>();
  for (let round = 0; ; round++) {
    const seen = new Set<number>();
    let total = 0;
    for (let page = 1; ; page++) {
      const query = { project: project.id, fields: "all", resolve_uri: false, page, page_size: pageSize, include: fields.join(",") };
      // A page behind the last is a 404, on some versions an empty list.
      const answer = await client.request("/api/tasks", { query, purpose, ...(page > 1 ? { accept: [404] } : {}) });
      if (answer === undefined) break;
      const listed = readObject(answer, purpose);
      const items = listed["tasks"];
      if (!Array.isArray(items)) throw new SparError("label-studio/not-label-studio", `${purpose}: expected a list of tasks, found none`);
      for (const item of items as unknown[]) {
        const task = readObject(item, purpose);
        seen.add(Number(task["id"]));
        tasks.set(Number(task["id"]), task);
      }
      total = Number(listed["total"] ?? 0);
      onPage?.(seen.size, total);
      if (items.length === 0 || seen.size >= total) break;
    }
    // Pages shift where tasks are deleted while they are read: what fell through is in the next round.
    if (seen.size >= total || round >= 3) {
      for (const id of tasks.keys()) if (!seen.has(id)) tasks.delete(id);
      return tasks;
    }
  }
}

function readProject(project: Json): StudioProject {
  return {
    id: Number(project["id"]),
    title: String(project["title"]),
    config: typeof project["label_config"] === "string" ? project["label_config"] : "",
  };
}
