/** One request of a tracker to its server, with the two ways in which it may fail told apart. */

export type HttpRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH";
  url: string;
  headers?: { readonly [name: string]: string };
  body?: string | Uint8Array<ArrayBuffer>;
  /** Aborts the request; the delivery's. */
  signal?: AbortSignal;
  /** Milliseconds. */
  timeout?: number;
};

/**
 * - `transient`: no answer, or one that says to try again (408, 409, 425, 429, 5xx).
 * - `refused`: the server understood and does not want this very content (400, 404 of a run, 413, 422).
 * - `denied`: nothing will be taken until a person changes something (401, 403, a wrong address).
 */
export type DeliveryFailure = "transient" | "refused" | "denied";

export class DeliveryError extends Error {
  readonly failure: DeliveryFailure;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(failure: DeliveryFailure, message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DeliveryError";
    this.failure = failure;
    this.retryAfter = options.retryAfter;
  }
}

function classifyStatus(status: number): DeliveryFailure {
  if (status >= 500 || [408, 409, 425, 429].includes(status)) return "transient";
  return status === 401 || status === 403 || (status >= 300 && status < 400) ? "denied" : "refused";
}

function readRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** An address for messages: without a user's name, a password or what a query may hold. */
export function describeUrl(url: string): string {
  try {
    const { origin, pathname } = new URL(url);
    return `${origin}${pathname}`;
  } catch {
    return url;
  }
}

/**
 * The answer's text.
 * @throws DeliveryError for every other answer than 2xx, and for none.
 */
export async function sendRequest(request: HttpRequest): Promise<string> {
  const timeout = AbortSignal.timeout(request.timeout ?? 30_000);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  let response: Response;
  let text: string;
  const where = `${request.method} ${describeUrl(request.url)}`;
  try {
    response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      // A key must not follow a redirection to another server.
      redirect: "manual",
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    text = await response.text();
  } catch (cause) {
    const inner = (cause as { cause?: unknown }).cause;
    const reason = timeout.aborted
      ? "no answer in time"
      : inner instanceof Error && inner.message !== ""
        ? inner.message
        : (cause as Error).message;
    throw new DeliveryError("transient", `${where}: ${reason}`, { cause });
  }
  if (response.ok) return text;
  const retryAfter = readRetryAfter(response.headers.get("retry-after"));
  const said = text.replaceAll(/\s+/g, " ").trim().slice(0, 300);
  throw new DeliveryError(
    classifyStatus(response.status),
    `${where}: ${response.status}${said === "" ? "" : ` ${said}`}`,
    retryAfter === undefined ? {} : { retryAfter },
  );
}

/** @throws DeliveryError `transient` also where the answer is not JSON: a proxy's page is no answer of the service. */
export async function requestJson(request: HttpRequest & { json?: unknown }): Promise<unknown> {
  const { json, ...plain } = request;
  const text = await sendRequest({
    ...plain,
    headers: { accept: "application/json", ...(json === undefined ? {} : { "content-type": "application/json" }), ...request.headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw new DeliveryError("transient", `${request.method} ${describeUrl(request.url)}: the answer is not JSON: ${text.slice(0, 120)}`, {
      cause,
    });
  }
}
