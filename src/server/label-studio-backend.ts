/** Label Studio's ML backend protocol on a reward model: which answer it would choose, and how sure it is. */

import { createHash, timingSafeEqual } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { SparError } from "../internal/errors.ts";
import type { RewardRow, Score } from "../rewards/index.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { listStudioQuestions, predictQuestion, readStudioControl, type StudioQuestion } from "./label-studio-predictions.ts";
import { ProtocolError, respondWithError } from "./openai-error.ts";

export interface StudioBackendOptions extends Omit<GuardOptions, "apiKeys" | "open"> {
  readonly model: {
    readonly name: string;
    /** Its files tell one version of the model from the next; a hub id's folder. */
    readonly folder: string;
    readonly hasChatTemplate: boolean;
    score(rows: readonly RewardRow[], signal: AbortSignal): Promise<Score[]>;
  };
  /** `USER:PASSWORD`, as Label Studio's Basic authentication; empty: none asked for. */
  readonly basicAuth: string;
  /** The most bytes of a request. */
  readonly maxBytes: number;
  /** Told of errors that are nobody's request. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

type Body = { readonly [key: string]: unknown };

/**
 * `GET /` and `/health`, `POST /setup`, `/predict`, `/train`, `/webhook`, and `GET /versions`, as label-studio-ml-backend 1.0 and Label
 * Studio 1.23 have them. A project's token, which /setup brings along, is neither kept nor used. Throws nothing.
 */
export function createStudioBackend(options: StudioBackendOptions): Hono {
  const { model, basicAuth, maxBytes, onError } = options;
  const app = new Hono();
  let queue: Promise<unknown> = Promise.resolve();
  const report = (error: unknown): ProtocolError => {
    if (error instanceof ProtocolError) return error;
    if (error instanceof SparError) return new ProtocolError(400, error.message, { code: error.code });
    onError?.(error);
    return new ProtocolError(500, "the backend failed; its log says why", { code: "internal_error" });
  };
  app.onError((error) => respondWithError(report(error)));
  app.notFound(({ req }) => respondWithError(new ProtocolError(404, `there is no ${req.method} ${req.path} here`, { code: "not_found" })));
  app.use(createGuard({ hosts: options.hosts, anyAddress: options.anyAddress, apiKeys: [], open: [] }));
  app.use(async (context, next) => {
    // Label Studio sends the password to /health too, and calls a 401 there by its name.
    if (basicAuth !== "" && !isAuthorised(context.req.header("authorization"), basicAuth)) {
      const refused = respondWithError(
        new ProtocolError(401, "expected the backend's user and password (Basic authentication)", { code: "unauthorised" }),
      );
      refused.headers.set("www-authenticate", 'Basic realm="spar"');
      return refused;
    }
    await next();
    context.res.headers.set("x-content-type-options", "nosniff");
    context.res.headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    context.res.headers.set("cross-origin-resource-policy", "same-origin");
    return undefined;
  });
  app.use(
    bodyLimit({
      maxSize: maxBytes,
      onError: () =>
        respondWithError(new ProtocolError(413, `the request is larger than ${maxBytes} bytes`, { code: "request_too_large" })),
    }),
  );
  const health = async () => Response.json({ status: "UP", model_class: "spar", model_version: await nameVersion(model), v2: false });
  app.get("/", health);
  app.get("/health", health);
  app.get("/versions", async () => Response.json({ versions: [await nameVersion(model)], message: "" }));
  app.post("/setup", async (context) => {
    const { schema } = await readBody(context);
    if (typeof schema === "string") readStudioControl(schema);
    return Response.json({ model_version: await nameVersion(model) });
  });
  app.post("/predict", async (context) => {
    const { tasks, label_config: config } = await readBody(context);
    if (!Array.isArray(tasks)) throw new ProtocolError(400, "expected tasks: a list", { code: "invalid_request" });
    if (typeof config !== "string")
      throw new ProtocolError(400, "expected label_config: the project's configuration", { code: "invalid_request" });
    const control = readStudioControl(config);
    const questions = listStudioQuestions(tasks as unknown[], model.hasChatTemplate, control);
    // One at a time: each wants the whole machine.
    const turn = queue.then(() => scoreQuestions(questions, context.req.raw.signal));
    queue = turn.catch(() => undefined);
    const scores = await turn;
    const version = await nameVersion(model);
    const results = questions.map((question, i) => ({ ...predictQuestion(question, scores[i], control), model_version: version }));
    return Response.json({ results, model_version: version });
  });
  // A reward model is trained by `spar reward`: what is told here is heard, and that is all.
  app.post("/train", async (context) => {
    await readBody(context);
    return Response.json({}, { status: 201 });
  });
  app.post("/webhook", async (context) => {
    await readBody(context);
    return Response.json({}, { status: 201 });
  });
  return app;

  async function scoreQuestions(questions: readonly (StudioQuestion | undefined)[], signal: AbortSignal): Promise<number[][]> {
    // Whoever asked has gone: Label Studio waits 100 seconds.
    if (signal.aborted) throw new ProtocolError(499, "the client has gone");
    const rows = questions.flatMap((question) =>
      (question?.answers ?? []).map((completion) => ({ prompt: question?.prompt ?? "", completion, prompt_ids: [], completion_ids: [] })),
    );
    const scores = await model.score(rows, signal);
    let next = 0;
    return questions.map((question) => (question?.answers ?? []).map(() => scores[next++] ?? NaN));
  }
}

function isAuthorised(header: string | undefined, expected: string): boolean {
  const given = Buffer.from(/^Basic\s+(\S+)$/i.exec(header ?? "")?.[1] ?? "", "base64");
  const digest = (value: string | Buffer): Buffer => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

async function readBody({ req }: Context): Promise<Body> {
  // A page of another site may send text or forms without asking, JSON not.
  if (!/^application\/json\s*(;|$)/i.test(req.header("content-type") ?? ""))
    throw new ProtocolError(415, "expected content-type: application/json", { code: "unsupported_media_type" });
  let body: unknown;
  try {
    body = JSON.parse(await req.text());
  } catch (error) {
    throw new ProtocolError(400, `the request is not valid JSON (${(error as Error).message})`, { code: "invalid_json" });
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ProtocolError(400, "expected a JSON object", { code: "invalid_json" });
  return body as Body;
}

/**
 * Label Studio asks again for tasks whose prediction is of another version: the name changes with the model's files. Told by sizes and
 * times, since reading the weights would take longer than /setup may.
 */
async function nameVersion({ name, folder }: StudioBackendOptions["model"]): Promise<string> {
  const names = (await readdir(folder).catch(() => [])).filter((file) => /\.(safetensors|json)$/.test(file)).sort();
  const marks = await Promise.all(
    names.map(async (file) => stat(join(folder, file)).then(({ size, mtimeMs }) => `${file} ${size} ${mtimeMs}`)),
  );
  const label = name
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .slice(-2)
    .join("/");
  return `${label}@${createHash("sha256").update(marks.join("\n")).digest("hex").slice(0, 8)}`;
}
