/** The Chat room: models to talk with, answers token by token, and which of two answers was better. */
import { Hono } from "hono";
import { z } from "zod";
import type { LiveToken } from "../../../generation/index.ts";
import { fitConversation, type Tokenizer } from "../../../tokenizer/index.ts";
import { describeToken } from "../../format-answer.ts";
import type { ModelDetails, Sampling, StreamEvent, TokenPiece } from "./protocol.ts";
import { createPreferenceBook, preferenceSchema } from "./preferences.ts";
import type { ModelPool, TalkingModel } from "../model-pool.ts";
import { readBody } from "../read-body.ts";
import { samplingSchema, seedSchema, toSettings } from "../sampling-request.ts";
import { streamToPage } from "../stream-lines.ts";
import type { Workspace } from "../workspace.ts";

export interface ChatRoutesOptions {
  /** Preferences go to `labels/chat.jsonl` below its root. */
  readonly workspace: Pick<Workspace, "root">;
  /** Shared with the Samples room; the caller closes it. */
  readonly pool: ModelPool;
  /** Told of bugs. */
  readonly onError?: (error: unknown) => void;
}

/** How many of the likeliest tokens the page is told at each position. */
const alternatives = 6;

const streamSchema = z.strictObject({
  model: z.string(),
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
    .min(1)
    .max(4096),
  sampling: samplingSchema,
  seed: seedSchema,
});

export interface ChatRoutes {
  readonly routes: Hono;
  /** Closes the files of preferences. */
  close(): Promise<void>;
}

export function createChatRoutes({ workspace, pool, onError }: ChatRoutesOptions): ChatRoutes {
  const app = new Hono();
  const preferences = createPreferenceBook(workspace.root);
  app.get("/models", async () => Response.json(await pool.list()));
  app.get("/models/:id", async ({ req }) =>
    Response.json(await pool.useLanguage(req.param("id"), async (model) => describeModel(model), { signal: req.raw.signal })),
  );
  app.post("/stream", async (context) => {
    const request = await readBody(context, streamSchema);
    return streamToPage<StreamEvent>(
      context,
      (send, signal) =>
        pool.useLanguage(request.model, (model) => answer(model, request, send, signal), {
          signal,
          onLoading: () => send({ type: "loading" }),
        }),
      onError,
    );
  });
  app.post("/preferences", async (context) => {
    const request = await readBody(context, preferenceSchema);
    const names = new Map((await pool.list()).map(({ id, name }) => [id, name]));
    return Response.json(await preferences.add(request, (id) => names.get(id)));
  });
  return { routes: app, close: () => preferences.close() };
}

async function answer(
  { service, tokenizer, maxPositions, settings: own }: TalkingModel,
  { messages, sampling, seed }: z.output<typeof streamSchema>,
  send: (event: StreamEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const settings = toSettings(sampling, seed);
  const wanted = settings.maxNewTokens ?? own.maxNewTokens;
  // Room for an answer, or a quarter of the positions where it may be longer than that.
  const most = maxPositions - Math.min(wanted, Math.floor(maxPositions / 4));
  const { ids, leftOut } = fitConversation(tokenizer, messages, most);
  const started = performance.now();
  const request = { model: undefined, settings, n: 1, top: alternatives, stream: true, streamUsage: false };
  const answers = service.text({ ...request, prompts: [ids] }, signal);
  const mode = tokenizer.hasChatTemplate ? "chat" : "text";
  send({ type: "start", mode, promptTokens: ids.length, leftOut, maxPositions });
  const [{ finishReason, text, tokens }] = await answers.run({
    onPiece: ({ text: piece, token }) => send({ type: "piece", piece: { text: piece, ...describe(token, tokenizer) } }),
  });
  send({ type: "end", finishReason, text, tokens, seconds: (performance.now() - started) / 1000 });
}

function describe(token: LiveToken | undefined, tokenizer: Tokenizer): Pick<TokenPiece, "token"> {
  if (token === undefined) return {};
  const show = (id: number, logprob: number): { text: string; logprob: number } => {
    const described = describeToken(id, logprob, tokenizer);
    // Special tokens have no text of their own, but a name.
    return { text: described.token === "" ? (tokenizer.idToToken(id) ?? "") : described.token, logprob: described.logprob };
  };
  return {
    token: { ...show(token.id, token.logprob), top: token.top.map(({ id, logprob }) => show(id, logprob)), ends: token.ends },
  };
}

function describeModel({ entry, tokenizer, maxPositions, parameters, settings }: TalkingModel): ModelDetails {
  const { maxNewTokens, temperature, topP, topK, minP, repetitionPenalty } = settings;
  const sampling: Sampling = { maxNewTokens, temperature, topP, topK, minP, repetitionPenalty };
  return { id: entry.id, name: entry.name, hasChatTemplate: tokenizer.hasChatTemplate, maxPositions, parameters, sampling };
}
