/** A client of chat completions as OpenAI's API has them, and as vLLM, llama.cpp's server, Ollama, vendors and `spar serve` offer them. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { SparError } from "../internal/errors.ts";
import type { ChatMessage } from "../tokenizer/index.ts";
import { createAnswerCache } from "./answer-cache.ts";
import type { JudgeUsage } from "./judge.ts";
import { postJson, type PostOutcome } from "./post-json.ts";

export interface OpenAIClientOptions {
  /** `http://localhost:8000/v1`, a host alone (`/v1` is added), or the whole path to `/chat/completions`. */
  readonly address: string;
  readonly model: string;
  /** Sent as `Authorization: Bearer …`; never shown, never stored. */
  readonly apiKey?: string | undefined;
  /** Requests at a time; default 8. */
  readonly concurrency?: number | undefined;
  /** Seconds that one request may take, its answer included; default 120. */
  readonly timeout?: number | undefined;
  /** Further attempts after the first; default 5. */
  readonly retries?: number | undefined;
  /** Seconds before the second attempt, doubled each time up to 60; a server's Retry-After goes first. Default .5. */
  readonly backoff?: number | undefined;
  /** A folder in which answers are kept by what was asked; absent: none are kept. */
  readonly cacheFolder?: string | undefined;
  /** What to do where the server refuses the key, for hints; absent: how the command line takes one. */
  readonly keyHint?: string | undefined;
  /** For a million tokens each, in any currency. */
  readonly prices?: { readonly prompt: number; readonly completion: number } | undefined;
}

export interface ChatQuestion {
  readonly messages: readonly ChatMessage[];
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number;
  /** What the answer should be as JSON; servers that cannot are asked for text instead. */
  readonly schema?: { readonly name: string; readonly schema: object } | undefined;
}

export interface ChatAnswer {
  /** Empty where the model refused or wrote nothing. */
  readonly text: string;
  readonly finishReason: string | null;
}

export interface OpenAIClient {
  /** Throws `judge/service-failed` where the server refuses for good, or does not answer at any attempt. */
  ask(question: ChatQuestion, options?: { readonly signal?: AbortSignal | undefined }): Promise<ChatAnswer>;
  usage(): JudgeUsage;
}

/** No wait is longer, whatever a server asks for. In seconds. */
const longestWait = 60;

/** Some servers answer with a list of parts, of which those with a text are what was said. */
const contentSchema = z.union([
  z.string(),
  z
    .array(z.looseObject({ text: z.unknown().optional() }))
    .transform((parts) => parts.map(({ text }) => (typeof text === "string" ? text : "")).join("")),
]);
const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: contentSchema.nullish() }), finish_reason: z.string().nullish() })).min(1),
  usage: z.object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() }).nullish(),
});
const cachedSchema = z.object({ text: z.string(), finishReason: z.string().nullable() });

/** What a server may not know: it is left out, or named otherwise, once the server has refused it. */
const optional = ["response_format", "seed", "max_tokens", "temperature", "top_p"] as const;
type Optional = (typeof optional)[number];

/** Throws `judge/invalid-address`. */
export function createOpenAIClient(options: OpenAIClientOptions): OpenAIClient {
  const { model, apiKey, concurrency = 8, timeout = 120, retries = 5, backoff = 0.5, cacheFolder, prices } = options;
  const url = parseAddress(options.address);
  const headers: { [name: string]: string } = apiKey === undefined || apiKey === "" ? {} : { authorization: `Bearer ${apiKey}` };
  if (url.username !== "") {
    // fetch refuses credentials in the address, and messages must not show them.
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers["authorization"] ??= `Basic ${Buffer.from(pair).toString("base64")}`;
    url.username = "";
    url.password = "";
  }
  const who = `The judge at ${url.origin}${url.pathname} (${model})`;
  const cache = cacheFolder === undefined ? undefined : createAnswerCache(cacheFolder);
  const refused = new Set<Optional>();
  const used = { requests: 0, cached: 0, repeated: 0, promptTokens: 0, completionTokens: 0 };
  // A server that asks for a pause means all requests.
  let pausedUntil = 0;

  const attempt = async (question: ChatQuestion, signal: AbortSignal | undefined): Promise<PostOutcome> => {
    for (;;) {
      const sent = optional.filter((name) => !refused.has(name) && (name !== "response_format" || question.schema !== undefined));
      used.requests++;
      const outcome = await postJson(url, headers, JSON.stringify(formatRequest(model, question, refused)), { timeout, signal });
      if (outcome.kind === "answer" || outcome.status === undefined || ![400, 422, 501].includes(outcome.status)) return outcome;
      const name = findRefused(outcome.reason, sent);
      if (name === undefined) return outcome;
      refused.add(name);
      used.repeated++;
    }
  };

  const request = async (question: ChatQuestion, signal: AbortSignal | undefined): Promise<ChatAnswer> => {
    for (let tries = 0; ; tries++) {
      for (let pause = pausedUntil - Date.now(); pause > 0; pause = pausedUntil - Date.now())
        await sleep(pause, undefined, signal === undefined ? {} : { signal });
      signal?.throwIfAborted();
      let outcome = await attempt(question, signal);
      signal?.throwIfAborted();
      if (outcome.kind === "answer") {
        const read = completionSchema.safeParse(outcome.body);
        if (read.success) {
          const { choices, usage } = read.data;
          used.promptTokens += usage?.prompt_tokens ?? 0;
          used.completionTokens += usage?.completion_tokens ?? 0;
          return { text: choices[0].message.content ?? "", finishReason: choices[0].finish_reason ?? null };
        }
        outcome = { kind: "failure", reason: `answered without choices: ${JSON.stringify(outcome.body).slice(0, 300)}`, again: true };
      }
      if (!outcome.again || tries === retries) throw explainFailure(who, outcome, tries + 1, { ...options, url });
      used.repeated++;
      if (outcome.retryAfter !== undefined)
        pausedUntil = Math.max(pausedUntil, Date.now() + 1000 * Math.min(longestWait, outcome.retryAfter));
      else await sleep(1000 * Math.min(longestWait, backoff * 2 ** tries), undefined, signal === undefined ? {} : { signal });
    }
  };

  const limit = createLimit(concurrency);
  return {
    async ask(question, { signal } = {}) {
      const key = { address: `${url.origin}${url.pathname}${url.search}`, model, ...question };
      return limit(async () => {
        signal?.throwIfAborted();
        const kept = cachedSchema.safeParse(await cache?.get(key));
        if (kept.success) {
          used.cached++;
          return kept.data;
        }
        const answer = await request(question, signal);
        await cache?.set(key, answer);
        return answer;
      });
    },
    usage: () => ({
      ...used,
      cost: prices === undefined ? null : (used.promptTokens * prices.prompt + used.completionTokens * prices.completion) / 1e6,
    }),
  };
}

/** Where requests go. Throws `judge/invalid-address`. */
export function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new SparError("judge/invalid-address", `Judge: expected an http(s) address, got "${address}"`, {
      hint: "Write it as openai:http://localhost:8000/v1#MODEL.",
    });
  }
  url.hash = "";
  const path = url.pathname.replace(/\/+$/, "");
  if (!path.endsWith("/chat/completions")) url.pathname = `${path === "" ? "/v1" : path}/chat/completions`;
  return url;
}

function formatRequest(model: string, question: ChatQuestion, refused: ReadonlySet<Optional>): object {
  const { messages, temperature, topP, maxTokens, seed, schema } = question;
  const wanted: { [K in Optional]: unknown } = {
    temperature,
    top_p: topP,
    seed,
    max_tokens: maxTokens,
    response_format:
      schema === undefined ? undefined : { type: "json_schema", json_schema: { name: schema.name, strict: true, schema: schema.schema } },
  };
  return {
    model,
    messages,
    ...Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== undefined && !refused.has(name as Optional))),
    // The newer name, which some models insist on.
    ...(refused.has("max_tokens") ? { max_completion_tokens: maxTokens } : {}),
  };
}

/** Which of the parameters sent a server's complaint is about; a complaint that names none is taken to be about the schema. */
function findRefused(reason: string, sent: readonly Optional[]): Optional | undefined {
  const named = sent.find((name) => new RegExp(`\\b${name}\\b`).test(reason));
  if (named !== undefined) return named;
  return sent.includes("response_format") && !/\b(model|context|token|messages)\b/i.test(reason) ? "response_format" : undefined;
}

function explainFailure(
  who: string,
  failure: PostOutcome & { kind: "failure" },
  attempts: number,
  { apiKey, keyHint, cacheFolder, url }: OpenAIClientOptions & { readonly url: URL },
): SparError {
  // Some servers quote the key that they refuse.
  const reason = apiKey === undefined || apiKey === "" ? failure.reason : failure.reason.replaceAll(apiKey, "…");
  const key = `${apiKey === undefined || apiKey === "" ? "No key was sent" : "The key that was sent is refused"}. ${
    keyHint ?? "Set OPENAI_API_KEY, or name the variable that holds the key with --api-key-env."
  }`;
  const unanswered =
    cacheFolder === undefined
      ? `Is the server at ${url.origin} running? No cache keeps the answers that came: they are asked for again.`
      : "Answers that came are in the cache: the same command goes on from there.";
  const hints: { readonly [status: number]: string } = {
    401: key,
    403: key,
    404: "Check the address (often it ends in /v1) and the model's name; GET …/v1/models lists the models.",
  };
  const hint = hints[failure.status ?? 0] ?? (failure.again ? unanswered : undefined);
  return new SparError("judge/service-failed", `${who} ${reason}${attempts === 1 ? "" : ` (${attempts} attempts)`}`, {
    cause: failure.cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Runs at most `count` bodies at a time, in the order in which they came. */
export function createLimit(count: number): <T>(body: () => Promise<T>) => Promise<T> {
  if (!(Number.isInteger(count) && count >= 1))
    throw new SparError("judge/invalid-option", `Judge: expected concurrency to be a whole number from 1, got ${count}`);
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (body) => {
    if (running === count) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await body();
    } finally {
      // The place goes to the next in line, or is free.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
