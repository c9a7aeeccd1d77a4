/** Errors as the pages read them: `{error: {code, message, hint?}}`. */
import { describeError, SparError } from "../../internal/errors.ts";

/** What a page asked for wrongly, with the status that says so; any other SparError is answered with 422. */
export class RequestError extends SparError {
  readonly status: number;
  /** Seconds after which to try again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, options: { hint?: string; cause?: unknown; retryAfter?: number } = {}) {
    super(code, message, options);
    this.name = "RequestError";
    this.status = status;
    this.retryAfter = options.retryAfter;
  }
}

/** The answer to what a route threw. `onError` is told of bugs, whose messages do not go to the page. */
export function respondWithUIError(error: unknown, onError?: (error: unknown) => void): Response {
  if (!(error instanceof SparError)) {
    onError?.(error);
    const message = "the server failed to answer; the terminal in which it runs says why";
    return Response.json({ error: { ...describeError(error), message } }, { status: 500 });
  }
  const { code, message, hint } = error;
  const status = error instanceof RequestError ? error.status : 422;
  const retryAfter = error instanceof RequestError ? error.retryAfter : undefined;
  return Response.json(
    { error: { code, message, ...(hint === undefined || hint === "" ? {} : { hint }) } },
    { status, headers: retryAfter === undefined ? {} : { "retry-after": String(retryAfter) } },
  );
}
