/** One POST of JSON, and what became of it: nothing here throws for what a network or a server does. */

export type PostOutcome =
  | { readonly kind: "answer"; readonly body: unknown }
  /** `again`: another attempt may fare better. `body`: what an error came with, where that was JSON. */
  | {
      readonly kind: "failure";
      readonly reason: string;
      readonly again: boolean;
      readonly status?: number;
      readonly body?: unknown;
      /** Seconds that the server asks to wait. */
      readonly retryAfter?: number | undefined;
      readonly cause?: unknown;
    };

/** @param timeout seconds for the whole exchange, headers and body */
export async function postJson(
  url: URL,
  headers: { readonly [name: string]: string },
  body: string,
  { timeout, signal }: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<PostOutcome> {
  const limit = AbortSignal.timeout(timeout * 1000);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      body,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    text = await response.text();
  } catch (cause) {
    if (limit.aborted) return { kind: "failure", reason: `did not answer within ${timeout} s`, again: true, cause };
    const because = (cause as Error).cause;
    const reason = because instanceof Error && because.message !== "" ? because.message : (cause as Error).message;
    return { kind: "failure", reason: `cannot be reached: ${reason}`, again: true, cause };
  }
  const shown = text.trim().slice(0, 300);
  const json = parseJson(text);
  if (!response.ok) {
    return {
      kind: "failure",
      reason: `answered ${response.status}${shown === "" ? "" : `: ${shown}`}`,
      again: response.status >= 500 || [408, 409, 425, 429].includes(response.status),
      status: response.status,
      body: json,
      retryAfter: readRetryAfter(response.headers),
    };
  }
  // A proxy's page, or an answer that was cut off.
  if (json === undefined) return { kind: "failure", reason: `answered something that is not JSON: ${shown}`, again: true };
  return { kind: "answer", body: json };
}

/** Seconds, of `retry-after-ms` (some vendors), a number of seconds or a date. */
function readRetryAfter(headers: Headers): number | undefined {
  const milliseconds = headers.get("retry-after-ms");
  if (milliseconds !== null && /^\s*\d+(\.\d+)?\s*$/.test(milliseconds)) return Number(milliseconds) / 1000;
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
