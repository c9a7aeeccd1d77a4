/** Any OpenAI-compatible endpoint as judge. */
import { setMaxListeners } from "node:events";
import { createOpenAIClient, type ChatQuestion, type OpenAIClientOptions } from "../openai-client.ts";
import type { Judge, JudgeOptions } from "../judge.ts";
import { createRubricJudge, retryTemperature, type Judgement, type Question } from "./rubric-judge.ts";
import { leadWord, parseJsonJudgement, parseJudgement, renderRubric, type Rubric } from "./rubric.ts";

export interface OpenAIJudgeOptions extends OpenAIClientOptions {
  readonly rubric: Rubric;
  /** Judgements a question, averaged; default 3. */
  readonly judgements?: number | undefined;
  /** Defaults: temperature .7, top-p .9, 512 new tokens, seed 0. */
  readonly sampling?:
    | { readonly temperature?: number; readonly topP?: number; readonly maxNewTokens?: number; readonly seed?: number }
    | undefined;
  /** Ask for JSON of a schema where the server can; default true. */
  readonly json?: boolean | undefined;
  readonly tieWithin?: number | undefined;
  readonly name?: string | undefined;
}

/** Requests that fail for good end the call with `judge/service-failed`; answers without a judgement are asked for once more, then void. */
export function createOpenAIJudge(options: OpenAIJudgeOptions): Judge {
  const { rubric, judgements = 3, sampling = {}, json = true, tieWithin, name = options.model } = options;
  const client = createOpenAIClient(options);
  const schema = json ? describeJudgement(rubric) : undefined;
  const { temperature = 0.7, topP = 0.9, maxNewTokens = 512, seed = 0 } = sampling;

  const askOnce = async (
    question: Question,
    sample: number,
    heat: number,
    signal: AbortSignal,
  ): Promise<{ value: number | null; text: string }> => {
    const asked: ChatQuestion = {
      messages: [{ role: "user", content: renderRubric(rubric, question) }],
      temperature: heat,
      topP,
      maxTokens: maxNewTokens,
      seed: seed + sample,
      schema,
    };
    const { text } = await client.ask(asked, { signal });
    return { value: parseJsonJudgement(text, rubric) ?? parseJudgement(text, rubric), text };
  };

  const judge = async (question: Question, sample: number, signal: AbortSignal): Promise<Judgement> => {
    const first = await askOnce(question, sample, temperature, signal);
    if (first.value !== null) return { ...first, retries: 0 };
    // Another seed is another question, for the server and for the cache.
    const second = await askOnce(question, judgements + sample, temperature === 0 ? retryTemperature : temperature, signal);
    return { ...second, retries: 1 };
  };

  const ask = async (questions: readonly Question[], { signal, onProgress }: JudgeOptions): Promise<Judgement[][]> => {
    // What fails for good stops those that wait.
    const stopped = new AbortController();
    const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
    // Every request waits on it; Node takes more than ten listeners for a leak.
    setMaxListeners(0, either);
    let done = 0;
    const all = questions.map(async (question) => {
      const answers = await Promise.all(Array.from({ length: judgements }, (_, sample) => judge(question, sample, either)));
      onProgress?.(++done, questions.length);
      return answers;
    });
    try {
      return await Promise.all(all);
    } catch (error) {
      stopped.abort();
      await Promise.allSettled(all);
      throw error;
    }
  };

  return createRubricJudge({ name, rubric, tieWithin, ask, usage: () => client.usage() });
}

/** The JSON that stands for a judgement: reasons first, so that they are thought of before the score. */
function describeJudgement(rubric: Rubric): { name: string; schema: object } {
  const word = leadWord(rubric) || "judgement";
  const value = rubric.kind === "grade" ? { type: "number" } : { type: "string", enum: rubric.answers.map(({ text }) => text.trim()) };
  return {
    name: "judgement",
    schema: {
      type: "object",
      properties: { reason: { type: "string" }, [word]: value },
      required: ["reason", word],
      additionalProperties: false,
    },
  };
}
