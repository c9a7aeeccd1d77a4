/** What the Samples room shows: chosen columns, filter and order, and what is being generated. */
import { batch, signal } from "@preact/signals";
import type { ModelEntry } from "../../../../src/server/ui/chat/protocol.ts";
import type { GenerateEvent, GenerateRequest, Grid, GridRequest, GridSort, Source } from "../../../../src/server/ui/samples/protocol.ts";
import { api } from "../../api.ts";
import { showError } from "../../components/toast.tsx";
import { readStored, writeStored } from "../../stored.ts";
import { readEvents } from "../chat/read-events.ts";

const keys = { columns: "spar.samples.columns", view: "spar.samples.view" };
export const pageSize = 25;

export type CellView = "text" | "diff" | "heat";

export const sources = signal<readonly Source[] | undefined>(undefined);
export const models = signal<readonly ModelEntry[]>([]);
export const columns = signal<readonly string[]>(readStored<string[]>(keys.columns) ?? []);
export const view = signal<CellView>(readStored<CellView>(keys.view) ?? "text");
export const search = signal("");
export const only = signal<NonNullable<GridRequest["only"]>>("all");
export const sort = signal<GridSort>({ by: "file" });
export const offset = signal(0);
export const grid = signal<Grid | undefined>(undefined);
export const isLoading = signal(false);

export interface LiveCell {
  readonly text: string;
  readonly state: "waiting" | "streaming" | "done";
}

export interface LiveGrid {
  readonly models: readonly { readonly id: string; readonly name: string; readonly problem?: string; readonly isLoading?: boolean }[];
  /** A row a prompt and candidate. */
  readonly prompts: readonly string[];
  /** By model, then by row. */
  readonly cells: readonly (readonly LiveCell[])[];
}

/** While something is being generated: shown in the grid's place. */
export const live = signal<LiveGrid | undefined>(undefined);
let generating: AbortController | undefined;

export async function loadSources(): Promise<void> {
  const [found, list] = await Promise.all([api.get<Source[]>("/samples/sources"), api.get<ModelEntry[]>("/chat/models")]);
  batch(() => {
    sources.value = found;
    models.value = list;
    const known = new Set(found.flatMap((source) => source.columns.map(({ id }) => id)));
    const there = columns.value.filter((id) => known.has(id));
    chooseColumns(there.length > 0 ? there : pickFirst(found));
  });
}

/** Before and after of the newest quickstart, or what the newest source of several columns has to compare. */
function pickFirst(found: readonly Source[]): string[] {
  const source = found.find(({ kind }) => kind === "quickstart") ?? found.find((one) => one.columns.length > 1) ?? found[0];
  return [...(source?.first ?? [])];
}

export function chooseColumns(ids: readonly string[]): void {
  batch(() => {
    columns.value = ids;
    offset.value = 0;
    if (sort.value.column !== undefined && sort.value.column !== "difference" && !ids.includes(sort.value.column))
      sort.value = { by: "file" };
  });
  writeStored(keys.columns, ids);
}

export function chooseView(next: CellView): void {
  view.value = next;
  writeStored(keys.view, next);
}

let newest = 0;

/** Asks for the rows that are to be seen; an answer that comes late is dropped. */
export async function loadGrid(): Promise<void> {
  const request: GridRequest = {
    columns: columns.value,
    search: search.value,
    only: only.value,
    sort: sort.value,
    offset: offset.value,
    limit: pageSize,
  };
  const mine = ++newest;
  if (request.columns.length === 0) {
    grid.value = undefined;
    return;
  }
  isLoading.value = true;
  try {
    const answer = await api.post<Grid>("/samples/grid", request);
    if (mine === newest) grid.value = answer;
  } catch (error) {
    showError(error);
  } finally {
    if (mine === newest) isLoading.value = false;
  }
}

export function stopGenerating(): void {
  generating?.abort();
}

/** Cells fill as tokens come; at the end what was made is a source like others, and its columns are chosen. */
export async function generate(request: GenerateRequest): Promise<void> {
  generating?.abort();
  const controller = new AbortController();
  generating = controller;
  const n = request.n ?? 1;
  const rows = request.prompts.flatMap((prompt) => Array.from({ length: n }, () => prompt));
  const nameOf = (id: string): string => models.value.find((model) => model.id === id)?.name ?? id;
  live.value = {
    models: request.models.map((id) => ({ id, name: nameOf(id) })),
    prompts: rows,
    cells: request.models.map(() => rows.map(() => ({ text: "", state: "waiting" }))),
  };
  // A screen shows no more than a frame's worth at a time.
  const waiting = new Map<string, string>();
  let frame = 0;
  const flush = (): void => {
    cancelAnimationFrame(frame);
    frame = 0;
    if (waiting.size === 0 || live.value === undefined) return;
    live.value = {
      ...live.value,
      cells: live.value.cells.map((cells, m) =>
        cells.map((cell, row) => {
          const more = waiting.get(`${m} ${row}`);
          return more === undefined ? cell : { text: cell.text + more, state: "streaming" };
        }),
      ),
    };
    waiting.clear();
  };
  const changeModel = (id: string, edit: object): void => {
    if (live.value === undefined) return;
    live.value = { ...live.value, models: live.value.models.map((model) => (model.id === id ? { ...model, ...edit } : model)) };
  };
  try {
    for await (const event of readEvents<GenerateEvent>("/samples/generate", request, controller.signal)) {
      if (event.type === "text") {
        const key = `${request.models.indexOf(event.model)} ${event.row}`;
        waiting.set(key, (waiting.get(key) ?? "") + event.text);
        if (document.hidden) flush();
        else if (frame === 0) frame = requestAnimationFrame(flush);
      } else if (event.type === "cell") {
        flush();
        changeModel(event.model, { isLoading: false });
        const m = request.models.indexOf(event.model);
        const done: LiveCell = { text: event.text, state: "done" };
        if (live.value !== undefined)
          live.value = {
            ...live.value,
            cells: live.value.cells.map((cells, i) => (i === m ? cells.map((cell, row) => (row === event.row ? done : cell)) : cells)),
          };
      } else if (event.type === "loading") changeModel(event.model, { isLoading: true });
      else if (event.type === "failed") changeModel(event.model, { problem: event.message, isLoading: false });
      else if (event.type === "error") throw new Error([event.message, event.hint].filter(Boolean).join(". "));
      else if (event.source !== null) {
        await loadSources();
        const made = event.source;
        batch(() => {
          search.value = "";
          only.value = "all";
          sort.value = { by: "file" };
          chooseColumns(made.columns.map(({ id }) => id));
        });
      }
    }
  } catch (error) {
    // What was done before is kept by the server.
    if (controller.signal.aborted) setTimeout(() => void loadSources().catch(showError), 600);
    else showError(error);
  } finally {
    if (generating === controller) {
      generating = undefined;
      live.value = undefined;
    }
  }
}
