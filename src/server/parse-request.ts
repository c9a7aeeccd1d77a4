/** What a request for completions asks for; all that is wrong with it is found before anything is computed. */
import { z } from "zod";
import type { GenerationSettings } from "../generation/index.ts";
import type { ChatMessage } from "../tokenizer/index.ts";
import { ProtocolError } from "./openai-error.ts";

export interface CompletionOptions {
  readonly model: string | undefined;
  readonly settings: Partial<GenerationSettings>;
  /** Completions of each prompt. */
  readonly n: number;
  /** Undefined: log-probabilities are not asked for; otherwise how many alternatives at each position. */
  readonly top: number | undefined;
  readonly stream: boolean;
  /** A last event with the counts of tokens. */
  readonly streamUsage: boolean;
}

export interface ChatRequest extends CompletionOptions {
  readonly messages: readonly ChatMessage[];
}

export interface TextRequest extends CompletionOptions {
  readonly prompts: readonly (string | readonly number[])[];
}

const most = { n: 64, prompts: 128, messages: 2048, stops: 16, top: 20 };

const nullish = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);
const wholeNumber = z.number().int();
/** Without this, a client would believe that it was heeded. */
const unsupported = (what: string) => ({ error: `${what} is not supported by this server` });
const off = (what: string, harmless: (value: unknown) => boolean) =>
  z
    .unknown()
    .refine((value) => value === null || harmless(value), unsupported(what))
    .optional();
const isZero = (value: unknown): boolean => value === 0;
const isEmpty = (value: unknown): boolean => typeof value === "object" && Object.keys(value as object).length === 0;

const sampling = {
  model: z.string().optional(),
  temperature: nullish(z.number().min(0).max(100)),
  top_p: nullish(z.number().gt(0).max(1)),
  // As vLLM and llama.cpp name what OpenAI does not have.
  top_k: nullish(wholeNumber.min(-1).transform((k) => Math.max(0, k))),
  min_p: nullish(z.number().min(0).max(1)),
  repetition_penalty: nullish(z.number().gt(0).max(100)),
  max_tokens: nullish(wholeNumber.min(1)),
  stop: nullish(
    z.union([
      z
        .string()
        .min(1)
        .transform((text) => [text]),
      z.array(z.string().min(1)).max(most.stops),
    ]),
  ),
  seed: nullish(wholeNumber.transform((seed) => seed >>> 0)),
  n: nullish(wholeNumber.min(1).max(most.n)),
  stream: nullish(z.boolean()),
  stream_options: nullish(z.object({ include_usage: nullish(z.boolean()) }).loose()),
  frequency_penalty: off("frequency_penalty other than 0 (repetition_penalty is)", isZero),
  presence_penalty: off("presence_penalty other than 0 (repetition_penalty is)", isZero),
  logit_bias: off("logit_bias", isEmpty),
  response_format: off(
    "response_format other than text (an output that follows a JSON schema)",
    (value) => (value as { type?: unknown }).type === "text",
  ),
  // They change nothing in an answer.
  user: z.unknown().optional(),
  metadata: z.unknown().optional(),
  store: z.unknown().optional(),
  service_tier: z.unknown().optional(),
  safety_identifier: z.unknown().optional(),
  prompt_cache_key: z.unknown().optional(),
};

const textPart = z.object({ type: z.literal("text"), text: z.string() });
const message = z
  .object({
    role: z.string().min(1),
    content: z
      .union([z.string(), z.array(textPart).transform((parts) => parts.map(({ text }) => text).join(""))], {
        error: "expected a text, or parts of type text (images and sounds are not supported)",
      })
      .nullish()
      .transform((content) => content ?? ""),
  })
  .loose();

const chatSchema = z.strictObject({
  ...sampling,
  messages: z.array(message).min(1).max(most.messages),
  max_completion_tokens: nullish(wholeNumber.min(1)),
  logprobs: nullish(z.boolean()),
  top_logprobs: nullish(wholeNumber.min(0).max(most.top)),
  tools: off("tools", isEmpty),
  tool_choice: off("tool_choice", (value) => value === "none" || value === "auto"),
  functions: off("functions", isEmpty),
  modalities: off("modalities other than text", (value) => JSON.stringify(value) === '["text"]'),
  parallel_tool_calls: z.unknown().optional(),
});

const ids = z.array(wholeNumber.min(0)).min(1);
const textSchema = z.strictObject({
  ...sampling,
  prompt: z.union(
    [
      z.string().transform((text) => [text]),
      z.array(z.string()).min(1).max(most.prompts),
      ids.transform((one) => [one]),
      z.array(ids).min(1).max(most.prompts),
    ],
    {
      error: "expected a text, a list of texts, a list of token ids, or a list of such lists",
    },
  ),
  logprobs: nullish(wholeNumber.min(0).max(most.top)),
  echo: off("echo", (value) => value === false),
  suffix: off("suffix", (value) => value === ""),
  best_of: off("best_of other than 1", (value) => value === 1),
});

/** Throws `ProtocolError` 400 for the first thing that is wrong, all others in its message. */
export function parseChatRequest(body: unknown): ChatRequest {
  const request = parse(chatSchema, body);
  if (request.top_logprobs !== undefined && request.logprobs !== true)
    throw new ProtocolError(400, "top_logprobs: needs logprobs: true", { param: "top_logprobs" });
  return {
    ...convert(request, request.max_completion_tokens ?? request.max_tokens),
    top: request.logprobs === true ? (request.top_logprobs ?? 0) : undefined,
    // What newer clients call the system's voice; templates know the old name.
    messages: request.messages.map(({ role, ...rest }) => ({ ...rest, role: role === "developer" ? "system" : role })),
  };
}

/** Throws `ProtocolError` 400. */
export function parseTextRequest(body: unknown): TextRequest {
  const request = parse(textSchema, body);
  // OpenAI's default.
  return { ...convert(request, request.max_tokens ?? 16), top: request.logprobs, prompts: request.prompt };
}

type Sampling = Pick<z.infer<typeof chatSchema>, Exclude<keyof typeof sampling, "max_tokens">>;

function convert(request: Sampling, maxNewTokens: number | undefined): Omit<CompletionOptions, "top"> {
  const asked: { [K in keyof GenerationSettings]?: GenerationSettings[K] | undefined } = {
    temperature: request.temperature,
    topP: request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    stopTexts: request.stop,
    seed: request.seed,
    maxNewTokens,
  };
  return {
    model: request.model,
    settings: Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
    n: request.n ?? 1,
    stream: request.stream ?? false,
    streamUsage: request.stream_options?.include_usage ?? false,
  };
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message: text, code, ...issue }) => {
    const unknown = code === "unrecognized_keys" ? (issue as unknown as { keys: string[] }).keys.join(", ") : undefined;
    const place = path.reduce<string>(
      (all, key) => (typeof key === "number" ? `${all}[${key}]` : all === "" ? String(key) : `${all}.${String(key)}`),
      "",
    );
    return {
      param: unknown ?? (place === "" ? undefined : place),
      text: unknown === undefined ? `${place === "" ? "" : `${place}: `}${text}` : `${unknown}: no such key`,
    };
  });
  throw new ProtocolError(400, problems.map(({ text }) => text).join("; "), { param: problems[0].param, code: "invalid_value" });
}
