/** The routes of OpenAI's protocol on one model. */
import { randomUUID } from "node:crypto";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createCompletionService, type Answers, type ServedModel, type ServiceLimits } from "./completion-service.ts";
import { streamEvents } from "./event-stream.ts";
import { createChatFormat, createTextFormat, formatUsage, type AnswerFormat, type Envelope } from "./format-answer.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { formatErrorBody, ProtocolError, respondWithError } from "./openai-error.ts";
import { parseChatRequest, parseTextRequest, type CompletionOptions } from "./parse-request.ts";

export interface AppOptions extends ServiceLimits, Omit<GuardOptions, "open"> {
  readonly model: ServedModel;
  /** The most bytes of a request. */
  readonly maxBytes: number;
  /** Told of errors that are nobody's request: bugs, a model whose numbers are not numbers. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Throws nothing; answers with OpenAI's error objects. */
export function createOpenAIApp(options: AppOptions): Hono {
  const { model, maxBytes, onError } = options;
  const service = createCompletionService(model, options);
  const created = Math.floor(Date.now() / 1000);
  const app = new Hono();
  const report = (error: unknown): ProtocolError => {
    if (error instanceof ProtocolError) return error;
    onError?.(error);
    // Paths and other secrets may stand in the message of what nobody foresaw.
    return new ProtocolError(500, "the server failed to answer; its log says why", { code: "internal_error" });
  };
  app.onError((error) => respondWithError(report(error)));
  app.notFound(({ req }) => respondWithError(new ProtocolError(404, `there is no ${req.method} ${req.path} here`, { code: "not_found" })));
  app.use(createGuard({ ...options, open: ["/health"] }));
  app.use(async (context, next) => {
    await next();
    // An answer that a browser shows all the same is text, and nothing in it runs.
    context.res.headers.set("x-content-type-options", "nosniff");
    context.res.headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    context.res.headers.set("cross-origin-resource-policy", "same-origin");
  });
  app.use(
    bodyLimit({
      maxSize: maxBytes,
      onError: () =>
        respondWithError(new ProtocolError(413, `the request is larger than ${maxBytes} bytes`, { code: "request_too_large" })),
    }),
  );
  const describe = { id: model.id, object: "model", created, owned_by: "spar", max_model_len: model.maxPositions };
  app.get("/health", () => Response.json({ status: "ok", ...model.generator.load() }));
  app.get("/v1/models", () => Response.json({ object: "list", data: [describe] }));
  app.get("/v1/models/:id{.+}", ({ req }) => {
    const id = req.param("id");
    if (id === model.id) return Response.json(describe);
    return respondWithError(
      new ProtocolError(404, `there is no model ${JSON.stringify(id)} here`, { param: "model", code: "model_not_found" }),
    );
  });
  app.post("/v1/chat/completions", async (context) => {
    const request = parseChatRequest(await readBody(context));
    const format = createChatFormat(envelope("chatcmpl", model), model.tokenizer, request.top !== undefined);
    return respond(context, request, (signal) => service.chat(request, signal), format, report);
  });
  app.post("/v1/completions", async (context) => {
    const request = parseTextRequest(await readBody(context));
    const format = createTextFormat(envelope("cmpl", model), model.tokenizer, request.top !== undefined);
    return respond(context, request, (signal) => service.text(request, signal), format, report);
  });
  return app;
}

function envelope(prefix: string, { id }: ServedModel): Envelope {
  return { id: `${prefix}-${randomUUID().replaceAll("-", "")}`, created: Math.floor(Date.now() / 1000), model: id };
}

async function readBody({ req }: Context): Promise<unknown> {
  // A page of another site may send text or forms without asking, JSON not.
  if (!/^application\/json\s*(;|$)/i.test(req.header("content-type") ?? ""))
    throw new ProtocolError(415, "expected content-type: application/json", { code: "unsupported_media_type" });
  const text = await req.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProtocolError(400, `the request is not valid JSON (${(error as Error).message})`, { code: "invalid_json" });
  }
}

/** A client that leaves, before or during the answer, frees its rows. */
async function respond(
  { req }: Context,
  request: CompletionOptions,
  start: (signal: AbortSignal) => Answers,
  format: AnswerFormat,
  report: (error: unknown) => ProtocolError,
): Promise<Response> {
  const left = new AbortController();
  const signal = AbortSignal.any([req.raw.signal, left.signal]);
  const answers = start(signal);
  if (!request.stream) {
    try {
      const done = await answers.run();
      return Response.json(format.whole(done, formatUsage(answers.promptTokens, done)));
    } catch (error) {
      // Nobody reads it.
      if (signal.aborted) return new Response(null, { status: 499 });
      throw error;
    }
  }
  return streamEvents(
    async ({ send }) => {
      const opened = new Set<number>();
      const done = await answers.run({
        onPiece(piece) {
          const opening = opened.has(piece.index) ? undefined : format.opening(piece.index);
          opened.add(piece.index);
          if (opening !== undefined) send(opening);
          if (piece.text !== "" || (request.top !== undefined && piece.token?.ends === false)) send(format.piece(piece));
        },
        onAnswer: (answer) => send(format.closing(answer)),
      });
      if (request.streamUsage) send(format.usage(formatUsage(answers.promptTokens, done)));
    },
    {
      describe: (error) => (signal.aborted ? {} : formatErrorBody(report(error))),
      onCancel: () => left.abort(),
    },
  );
}
