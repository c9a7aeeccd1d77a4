/** The labeling routes of the server. */
import type {
  Disagreement,
  GivenLabel,
  Guidelines,
  GuidelinesUpdate,
  NextAnswer,
  NextRequest,
  Project,
  ProjectSummary,
  Statistics,
  SubmitAnswer,
  SubmittedLabel,
} from "../../../../src/server/ui/label/protocol.ts";
import { api } from "../../api.ts";

export interface LabelApi {
  projects(): Promise<readonly ProjectSummary[]>;
  project(id: string): Promise<Project>;
  next(id: string, request: NextRequest): Promise<NextAnswer>;
  submit(id: string, labels: readonly SubmittedLabel[]): Promise<SubmitAnswer>;
  /** Newest first. */
  history(id: string, annotator: string, limit: number): Promise<readonly GivenLabel[]>;
  statistics(id: string): Promise<Statistics>;
  disagreements(id: string): Promise<readonly Disagreement[]>;
  saveGuidelines(id: string, update: GuidelinesUpdate): Promise<Guidelines>;
}

/** A server that is there answers at once; one that hangs must not hold up the labels behind it. */
const patience = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(20_000) });

/** Below `/api`. */
const root = "/label/projects";
const at = (id: string, rest = ""): string => `${root}/${encodeURIComponent(id)}${rest}`;

export const labelApi: LabelApi = {
  projects: () => api.get(root),
  project: (id) => api.get(at(id)),
  next: (id, request) => api.post(at(id, "/next"), request, patience()),
  submit: (id, labels) => api.post(at(id, "/labels"), { labels }, patience()),
  history: (id, annotator, limit) => api.get(at(id, `/history?annotator=${encodeURIComponent(annotator)}&limit=${String(limit)}`)),
  statistics: (id) => api.get(at(id, "/statistics")),
  disagreements: (id) => api.get(at(id, "/disagreements")),
  saveGuidelines: (id, update) => api.put(at(id, "/guidelines"), update),
};
