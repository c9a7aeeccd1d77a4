/** A language model in memory as judge: the model under training itself, or another one. */
import { SparError } from "../../internal/errors.ts";
import { createGenerator, createScorer, endTokens, type GenerationRequest, type GenerationSettings } from "../../generation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Judge } from "../judge.ts";
import { createAnswerEncoder, renderQuestion } from "./judge-prompt.ts";
import { createRubricJudge, retryTemperature, type Judgement, type Question, type RubricJudgeOptions } from "./rubric-judge.ts";
import { parseJudgement, type Rubric } from "./rubric.ts";

export interface ModelJudgeOptions {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly backend: Backend;
  readonly rubric: Rubric;
  /**
   * `sample`: the model writes its judgement, `judgements` times, averaged. `expected`: the mean of the answers' values under the
   * probabilities that the model gives to their tokens after the lead; one pass, nothing sampled, no reasons. Default `sample`.
   */
  readonly mode?: "sample" | "expected" | undefined;
  /** Judgements a question in mode `sample`; default 3. */
  readonly judgements?: number | undefined;
  /** Of mode `sample`; defaults: temperature .7, top-p .9, 512 new tokens, seed 0. */
  readonly sampling?: Partial<Pick<GenerationSettings, "temperature" | "topP" | "topK" | "maxNewTokens" | "seed">> | undefined;
  /** Rows computed at the same time; default 16. */
  readonly batchSize?: number | undefined;
  /** Grades at most this far apart are a tie; default 0. */
  readonly tieWithin?: number | undefined;
  readonly name?: string | undefined;
}

/**
 * The model, its tokenizer and the backend stay the caller's, and the weights are read anew at every call, so that a model may judge
 * while it is trained. What does not fit into the model's positions is void, not an error. Calls take turns.
 *
 * Throws `judge/answer-tokens` (at the first question) where mode `expected` cannot tell the answers apart by one token.
 */
export function createModelJudge(options: ModelJudgeOptions): Judge {
  const { model, rubric, mode = "sample", judgements = 3 } = options;
  if (model.head !== "lm") {
    throw new SparError("judge/no-language-model", "createModelJudge: expected a language model, got a model with a score head", {
      hint: "Give a reward model as reward:FOLDER.",
    });
  }
  if (!(Number.isInteger(judgements) && judgements >= 1))
    throw new SparError("judge/invalid-option", `createModelJudge: expected judgements to be a whole number from 1, got ${judgements}`);
  const asker = mode === "expected" ? createExpectedAsker(options) : createSamplingAsker(options, judgements);
  // One model answers one call at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const ask: Asker["ask"] = (questions, asked) => {
    const result = turn.then(() => asker.ask(questions, asked));
    turn = result.catch(() => undefined);
    return result;
  };
  return createRubricJudge({
    name: options.name ?? model.folder ?? "model",
    rubric,
    tieWithin: options.tieWithin,
    ask,
    release: asker.release,
  });
}

type Asker = Pick<RubricJudgeOptions, "ask" | "release">;

function createSamplingAsker({ model, tokenizer, backend, rubric, sampling = {}, batchSize = 16 }: ModelJudgeOptions, k: number): Asker {
  const generator = createGenerator(model, backend, { tokenizer, maxBatch: batchSize });
  const settings: GenerationSettings = {
    temperature: 0.7,
    topP: 0.9,
    topK: 0,
    maxNewTokens: 512,
    seed: 0,
    ...sampling,
    minP: 0,
    repetitionPenalty: 1,
    stopIds: [...new Set([...endTokens(model.config.raw), ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId])])],
    stopTexts: [],
  };
  const encode = (question: Question): number[] => {
    const { text, isChat } = renderQuestion(rubric, question, tokenizer);
    return tokenizer.encode(text, { addSpecialTokens: !isChat });
  };

  return {
    async ask(questions, { signal, onProgress }) {
      generator.refresh();
      const total = questions.length;
      let written = 0;
      const onCompletion = (): void => onProgress?.(Math.min(total, Math.floor(++written / k)), total);
      const prompts = questions.map(encode);
      const answers: Judgement[][] = prompts.map((ids) =>
        Array.from({ length: k }, () => ({ value: null, text: "", retries: 0, ...explainLength(ids.length, model.config.maxPositions) })),
      );
      const fitting = prompts.flatMap((ids, i) => (ids.length < model.config.maxPositions ? [i] : []));
      const run = async (requests: readonly GenerationRequest[], temperature: number, retries: number): Promise<void> => {
        const completions = await generator.generate(requests, { ...settings, temperature }, { ...(signal && { signal }), onCompletion });
        signal?.throwIfAborted();
        for (const { request, candidate, text = "" } of completions) {
          const { promptIndex = 0, firstCandidate = 0 } = requests[request];
          answers[promptIndex][(firstCandidate + candidate) % k] = { value: parseJudgement(text, rubric), text, retries };
        }
      };
      // Judgements of one question share its prefill.
      await run(
        fitting.map((i) => ({ promptIds: prompts[i], promptIndex: i, candidates: k })),
        settings.temperature,
        0,
      );
      // Once more, with numbers that no first judgement was drawn with.
      const silent = fitting.flatMap((i) =>
        answers[i].flatMap(({ value }, j) => (value === null ? [{ promptIds: prompts[i], promptIndex: i, firstCandidate: k + j }] : [])),
      );
      if (silent.length > 0) await run(silent, settings.temperature === 0 ? retryTemperature : settings.temperature, 1);
      return answers;
    },
    release: () => generator.release(),
  };
}

function createExpectedAsker({ model, tokenizer, backend, rubric, batchSize = 16 }: ModelJudgeOptions): Asker {
  const scorer = createScorer(model, backend, { maxRows: batchSize });
  const encode = createAnswerEncoder(rubric, tokenizer);
  return {
    async ask(questions, { signal, onProgress }) {
      const rows = questions.map(encode);
      const { maxPositions } = model.config;
      const fitting = rows.flatMap(({ ids }, i) => (ids.length <= maxPositions ? [i] : []));
      const scores = await scorer.nextLogprobs(
        fitting.map((i) => rows[i]),
        { signal, report: (done) => onProgress?.(done, questions.length) },
      );
      const byQuestion = new Map(fitting.map((i, at) => [i, scores[at]]));
      return rows.map(({ ids }, i): Judgement[] => {
        const found = byQuestion.get(i);
        if (found === undefined) return [{ value: null, retries: 0, ...explainLength(ids.length, maxPositions + 1) }];
        const likelihoods = Array.from(found, Math.exp);
        const mass = likelihoods.reduce((sum, p) => sum + p, 0);
        // Relative to the likeliest, so that answers which are all improbable are still told apart.
        const most = Math.max(...found);
        const weights = Array.from(found, (logprob) => Math.exp(logprob - most));
        const whole = weights.reduce((sum, weight) => sum + weight, 0);
        const value = rubric.answers.reduce((sum, answer, j) => sum + (answer.value * weights[j]) / whole, 0);
        if (!Number.isFinite(value)) return [{ value: null, retries: 0, problem: "the model's logits are not numbers" }];
        return [{ value, retries: 0, mass }];
      });
    },
    release: () => scorer.release(),
  };
}

function explainLength(length: number, limit: number): { problem?: string } {
  return length < limit ? {} : { problem: `the question has ${length} tokens, the model has ${limit - 1} positions for it` };
}
