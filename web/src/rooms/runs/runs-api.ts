/** What the runs room asks the server: see the server's ui/runs/protocol.ts. */
import type {
  Axis,
  ControlAnswer,
  ControlRequest,
  EventsAnswer,
  RunConfig,
  RunDetail,
  RunList,
  SamplesPage,
  SeriesAnswer,
} from "../../../../src/server/ui/runs/protocol.ts";
import { api } from "../../api.ts";

const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

export interface SeriesQuestion {
  readonly keys: readonly string[];
  readonly source: "metrics" | "system";
  readonly x: Axis;
  readonly points: number;
  readonly range: { readonly from: number; readonly to: number } | null;
}

export interface SamplesQuestion {
  readonly step: number | null;
  readonly text: string;
  readonly sort: "file" | "score" | "-score";
  readonly offset: number;
  readonly limit: number;
}

export const loadRuns = (signal?: AbortSignal): Promise<RunList> => api.get<RunList>("/runs", signal && { signal });
export const loadRun = (id: string, signal?: AbortSignal): Promise<RunDetail> => api.get<RunDetail>(runPath(id), signal && { signal });
export const loadConfig = (id: string, signal?: AbortSignal): Promise<RunConfig> =>
  api.get<RunConfig>(`${runPath(id)}/config`, signal && { signal });
export const loadEvents = (id: string, signal?: AbortSignal): Promise<EventsAnswer> =>
  api.get<EventsAnswer>(`${runPath(id)}/events`, signal && { signal });
export const sendControl = (id: string, request: ControlRequest["request"]): Promise<ControlAnswer> =>
  api.post<ControlAnswer>(`${runPath(id)}/control`, { request } satisfies ControlRequest);

export function loadSeries(id: string, { keys, source, x, points, range }: SeriesQuestion, signal?: AbortSignal): Promise<SeriesAnswer> {
  const query = new URLSearchParams({ keys: keys.join(","), source, x, points: String(points) });
  if (range !== null) {
    query.set("from", String(range.from));
    query.set("to", String(range.to));
  }
  return api.get<SeriesAnswer>(`${runPath(id)}/series?${query.toString()}`, signal && { signal });
}

export function loadSamples(id: string, { step, text, sort, offset, limit }: SamplesQuestion, signal?: AbortSignal): Promise<SamplesPage> {
  const query = new URLSearchParams({ sort, offset: String(offset), limit: String(limit) });
  if (step !== null) query.set("step", String(step));
  if (text !== "") query.set("text", text);
  return api.get<SamplesPage>(`${runPath(id)}/samples?${query.toString()}`, signal && { signal });
}
