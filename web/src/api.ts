/** Requests to the server, with its errors as `ApiError`. */
import type { ErrorAnswer } from "../../src/server/ui/ui-protocol.ts";
import { reportGone, reportHere, reportLocked } from "./connection.ts";

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export class ApiError extends Error {
  /** `area/reason`; `network` where no answer came. */
  readonly code: string;
  /** 0 where no answer came. */
  readonly status: number;
  readonly hint: string | undefined;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** `path` is relative to `/api`: `/label/projects`. Each throws ApiError; an abort throws what fetch throws. */
export const api = {
  get: <T>(path: string, options?: RequestOptions): Promise<T> => request<T>("GET", path, undefined, options),
  post: <T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> => request<T>("POST", path, body ?? {}, options),
  put: <T>(path: string, body: unknown, options?: RequestOptions): Promise<T> => request<T>("PUT", path, body, options),
  delete: <T>(path: string, options?: RequestOptions): Promise<T> => request<T>("DELETE", path, undefined, options),
  /** The bare answer, for what comes in pieces or is not JSON. */
  fetch: send,
};

async function request<T>(method: string, path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
  const answer = await send(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    ...options,
  });
  const text = await answer.text().catch((error: unknown) => {
    throw explainSilence(error);
  });
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(`/api${path}`, init).catch((error: unknown) => {
    throw explainSilence(error);
  });
  if (answer.status === 401) reportLocked();
  else reportHere();
  if (answer.ok) return answer;
  const { error } = (await answer.json().catch(() => ({}))) as Partial<ErrorAnswer>;
  throw new ApiError(answer.status, error?.code ?? "unknown", error?.message ?? `the server answered ${answer.status}`, error?.hint);
}

function explainSilence(error: unknown): unknown {
  if (error instanceof DOMException && error.name === "AbortError") return error;
  reportGone();
  return new ApiError(0, "network", "the server does not answer", "Is spar still running in its terminal?");
}
