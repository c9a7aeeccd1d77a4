/** Label Studio's API, as much of it as projects, tasks and annotations need. */

import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError, SparError } from "../../internal/errors.ts";
import { authoriseStudio, isJsonWebToken } from "./studio-token.ts";

export interface StudioClientOptions {
  /** `http://host:port`, with a path where Label Studio stands behind one. */
  readonly url: string;
  readonly token: string;
  /** Seconds for one request and its answer; default 60. */
  readonly timeout?: number | undefined;
  /** How often a request is sent again that failed on the way, or that the server could not take; default 5. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first further attempt, doubled each time; default 500. */
  readonly pause?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of each attempt that failed and is made again. */
  readonly onRetry?: ((reason: string) => void) | undefined;
}

export interface StudioRequest {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly query?: { readonly [name: string]: string | number | boolean };
  readonly body?: unknown;
  /** Whether sending it twice does no harm; default: all but POST. What may not is for the caller to look into. */
  readonly repeatable?: boolean;
  /** What the request was for, for messages: `making the project "x"`. */
  readonly purpose: string;
  /** Statuses that are an answer too, whose body is then undefined. */
  readonly accept?: readonly number[];
}

export interface StudioClient {
  /** Without a slash at the end. */
  readonly url: string;
  request(path: string, request: StudioRequest): Promise<unknown>;
}

/** One attempt. */
type Outcome =
  | { readonly kind: "answer"; readonly status: number; readonly body: unknown; readonly retryAfter: number | undefined }
  | { readonly kind: "lost"; readonly reason: string; readonly cause: unknown };

/** Thrown where a request that may not be repeated got lost on the way: the server may have done it or not. */
export class LostRequest extends SparError {}

/** Throws `label-studio/url` for what is no address, and `label-studio/token` for an empty token. */
export function createStudioClient(options: StudioClientOptions): StudioClient {
  const { timeout = 60, retries = 5, pause = 500, signal, onRetry } = options;
  const url = parseAddress(options.url);
  const token = options.token.trim();
  if (token === "" || /[\r\n]/.test(token))
    throw new SparError(
      "label-studio/token",
      `Label Studio at ${url}: expected a token, found ${token === "" ? "an empty text" : "several lines"}`,
      {
        hint: "It is in Label Studio under Account & Settings; give it as LABEL_STUDIO_API_KEY or with --token.",
      },
    );

  const attempt = async (path: string, method: string, headers: { [name: string]: string }, body: unknown): Promise<Outcome> => {
    const limit = AbortSignal.timeout(timeout * 1000);
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        // A POST that is sent elsewhere would become a GET there, without its token.
        redirect: "manual",
        headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.status >= 300 && response.status < 400) throw moved(url, response.headers.get("location"));
      return { kind: "answer", status: response.status, body: parseBody(text), retryAfter: readRetryAfter(response.headers) };
    } catch (cause) {
      if (cause instanceof SparError) throw cause;
      if (signal?.aborted === true) throw new InterruptedError("stopped while talking with Label Studio");
      if (limit.aborted) return { kind: "lost", reason: `no answer within ${timeout} s`, cause };
      const because = (cause as Error).cause;
      const reason = because instanceof Error && because.message !== "" ? because.message : (cause as Error).message;
      return { kind: "lost", reason, cause };
    }
  };
  const wait = async (tries: number, asked: number | undefined): Promise<void> => {
    const seconds = asked === undefined ? (pause * 2 ** tries) / 1000 : Math.min(asked, 60);
    await sleep(Math.min(seconds * 1000, 60_000), undefined, signal === undefined ? {} : { signal }).catch(() => {
      throw new InterruptedError("stopped while talking with Label Studio");
    });
  };
  const authorisation = authoriseStudio(token, async (path, body) => {
    for (let tries = 0; ; tries++) {
      const outcome = await attempt(path, "POST", {}, body);
      const failed = outcome.kind === "lost" || isBusy(outcome.status);
      if (failed && tries < retries) {
        onRetry?.(describeOutcome(outcome));
        await wait(tries, outcome.kind === "lost" ? undefined : outcome.retryAfter);
      } else if (outcome.kind === "lost") throw unreachable(url, "asking for access", outcome);
      else if (failed) throw refused(url, "asking for access", outcome.status, outcome.body);
      else return outcome;
    }
  });

  return {
    url,
    async request(path, { method = "GET", query = {}, body, repeatable = method !== "POST", purpose, accept = [] }) {
      const search = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])).toString();
      const target = search === "" ? path : `${path}?${search}`;
      let renewed = false;
      for (let tries = 0; ; tries++) {
        const outcome = await attempt(target, method, { authorization: await authorisation.header() }, body);
        if (outcome.kind === "lost") {
          if (!repeatable)
            throw new LostRequest("label-studio/unreachable", unreachable(url, purpose, outcome).message, { cause: outcome.cause });
          if (tries >= retries) throw unreachable(url, purpose, outcome);
          onRetry?.(describeOutcome(outcome));
          await wait(tries, undefined);
          continue;
        }
        const { status } = outcome;
        if (status >= 200 && status < 300) {
          if (outcome.body === undefined && status !== 204) throw noJson(url, purpose, status);
          return outcome.body;
        }
        if (accept.includes(status)) return undefined;
        if (status === 401 && !renewed && authorisation.renew()) {
          renewed = true;
          continue;
        }
        // 429 means that nothing was done; after a 5xx nobody knows.
        if (isBusy(status) && (repeatable || status === 429) && tries < retries) {
          onRetry?.(describeOutcome(outcome));
          await wait(tries, outcome.retryAfter);
          continue;
        }
        if (isBusy(status) && !repeatable)
          throw new LostRequest("label-studio/refused", refused(url, purpose, status, outcome.body).message);
        if (status === 401) throw unauthorised(url, token, outcome.body);
        throw refused(url, purpose, status, outcome.body);
      }
    },
  };
}

function parseAddress(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.password !== "")
    throw new SparError("label-studio/url", `expected the address of a Label Studio, found ${JSON.stringify(text)}`, {
      hint: "For example http://localhost:8080, without a name or password in it.",
    });
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, "");
}

const isBusy = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500;

const describeOutcome = (outcome: Outcome): string => (outcome.kind === "lost" ? outcome.reason : `status ${outcome.status}`);

function parseBody(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Seconds, of a number of seconds or a date. */
function readRetryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function moved(url: string, location: string | null): SparError {
  return new SparError("label-studio/url", `${url} sends requests elsewhere${location === null ? "" : `, to ${location}`}`, {
    hint: "Give the address of Label Studio itself: https:// where it has that, without a path like /projects.",
  });
}

function unreachable(url: string, purpose: string, { reason, cause }: { reason: string; cause: unknown }): SparError {
  return new SparError("label-studio/unreachable", `${purpose}: Label Studio at ${url} cannot be reached: ${reason}`, {
    hint: "Is it running, and is the address right? Running the same command again goes on where this one ended.",
    cause,
  });
}

function noJson(url: string, purpose: string, status: number): SparError {
  return new SparError("label-studio/not-label-studio", `${purpose}: ${url} answered ${status} with something that is not JSON`, {
    hint: "Is that the address of Label Studio itself, without a path like /projects?",
  });
}

function unauthorised(url: string, token: string, body: unknown): SparError {
  const detail = describeBody(body);
  const isDisabled = /legacy token authentication has been disabled/i.test(detail);
  const kind = isJsonWebToken(token) ? "personal access token" : "token";
  const hint = isDisabled
    ? "Legacy tokens are off there. Use a personal access token (Account & Settings), or switch legacy tokens on under Organization, Access Token Settings (own server: LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true)."
    : "Copy it again from Label Studio's Account & Settings into LABEL_STUDIO_API_KEY or --token.";
  const message = isDisabled
    ? `Label Studio at ${url} does not take legacy tokens`
    : `Label Studio at ${url} does not accept the ${kind}: ${detail}`;
  return new SparError("label-studio/token", message, { hint });
}

function refused(url: string, purpose: string, status: number, body: unknown): SparError {
  const detail = describeBody(body);
  if (body === undefined && status === 404)
    return new SparError("label-studio/refused", `${purpose}: ${url} answered 404, and not as Label Studio's API does`, {
      hint: "Is that the address of Label Studio itself, without a path like /projects?",
    });
  const options = status === 403 ? { hint: "The token's owner may not do that: look at the roles in Label Studio." } : {};
  return new SparError("label-studio/refused", `${purpose}: Label Studio answered ${status}${detail === "" ? "" : `: ${detail}`}`, options);
}

/** `detail` and the list of what is wrong with each field, in one line. */
function describeBody(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  const { detail, validation_errors: errors } = body as { detail?: unknown; validation_errors?: unknown };
  if (typeof errors === "object" && errors !== null && !Array.isArray(errors)) {
    const lines = Object.entries(errors).map(([field, texts]) => {
      const text = Array.isArray(texts) ? texts.join(" ") : String(texts);
      return field === "non_field_errors" ? text : `${field}: ${text}`;
    });
    return lines.join("; ").replaceAll(/\s+/g, " ").slice(0, 600);
  }
  return typeof detail === "string" ? detail.slice(0, 600) : "";
}
