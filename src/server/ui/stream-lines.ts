/** Answers that come bit by bit, as events whose last one may be an error. */
import type { Context } from "hono";
import { SparError } from "../../internal/errors.ts";
import { streamEvents } from "../event-stream.ts";
import { ProtocolError } from "../openai-error.ts";

export interface ErrorEvent {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** `produce` hears from `signal` when the page has left. `onError` is told of bugs, whose messages do not go to the page. */
export function streamToPage<E extends object>(
  { req }: Context,
  produce: (send: (event: E) => void, signal: AbortSignal) => Promise<void>,
  onError?: (error: unknown) => void,
): Response {
  const left = new AbortController();
  const signal = AbortSignal.any([req.raw.signal, left.signal]);
  return streamEvents(({ send }) => produce(send, signal), {
    describe: (error) => {
      if (!signal.aborted && !isExpected(error)) onError?.(error);
      return describeProblem(error);
    },
    onCancel: () => left.abort(),
  });
}

export function describeProblem(error: unknown): ErrorEvent {
  if (error instanceof ProtocolError) return { type: "error", code: error.code ?? "ui/bad-request", message: error.message };
  if (!(error instanceof SparError))
    return { type: "error", code: "internal/bug", message: "the server failed to answer; the terminal in which it runs says why" };
  const { code, message, hint } = error;
  return { type: "error", code, message, ...(hint === undefined ? {} : { hint }) };
}

function isExpected(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof SparError;
}
