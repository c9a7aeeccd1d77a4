/** Errors in the shape that OpenAI's clients read. */

export interface ProtocolErrorOptions {
  /** The request's key that is wrong. */
  readonly param?: string | undefined;
  /** A word for programs; default none. */
  readonly code?: string | undefined;
  /** Seconds after which to try again. */
  readonly retryAfter?: number;
}

/** What a client did wrong, or what the server cannot do for it now; anything else that is thrown is a 500. */
export class ProtocolError extends Error {
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, options: ProtocolErrorOptions = {}) {
    super(message);
    this.name = "ProtocolError";
    this.status = status;
    this.param = options.param ?? null;
    this.code = options.code ?? null;
    this.retryAfter = options.retryAfter;
  }
}

const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
  504: "server_error",
};

/** https://platform.openai.com/docs/guides/error-codes: `{error: {message, type, param, code}}`. */
export function formatErrorBody({ status, message, param, code }: ProtocolError): { error: object } {
  return { error: { message, type: types[status] ?? "invalid_request_error", param, code } };
}

export function respondWithError(error: ProtocolError): Response {
  const headers: { [name: string]: string } = error.retryAfter === undefined ? {} : { "retry-after": String(error.retryAfter) };
  if (error.status === 401) headers["www-authenticate"] = "Bearer";
  return Response.json(formatErrorBody(error), { status: error.status, headers });
}
