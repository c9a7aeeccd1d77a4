/** What all judges that follow a rubric share: questions out of requests, grades and comparisons out of judgements. */
import {
  averageScores,
  createComparingJudge,
  createGradingJudge,
  type GradeRequest,
  type Judge,
  type JudgeOptions,
  type JudgeUsage,
} from "../judge.ts";
import { nameWinner, type Rubric } from "./rubric.ts";

/** What a rubric's template takes in: an answer, or a first and a second one. */
export interface Question {
  readonly prompt: GradeRequest["prompt"];
  readonly answer?: string;
  readonly first?: string;
  readonly second?: string;
}

/** One judgement of one question. */
export interface Judgement {
  /** On the rubric's scale; null: void. */
  readonly value: number | null;
  readonly retries: number;
  readonly text?: string;
  /** Probability of all the rubric's answers together, where it is known. */
  readonly mass?: number;
  /** Why it is void, where that is known. */
  readonly problem?: string;
}

/** Of the second try of a greedy judge, whose void judgement would come out the same again. */
export const retryTemperature = 0.7;

export interface RubricJudgeOptions {
  readonly name: string;
  readonly rubric: Rubric;
  readonly tieWithin?: number | undefined;
  /** The judgements of each question, in order. */
  ask(questions: readonly Question[], options: JudgeOptions): Promise<Judgement[][]>;
  readonly usage?: (() => JudgeUsage) | undefined;
  readonly release?: (() => void) | undefined;
}

export function createRubricJudge({ name, rubric, tieWithin, ask, usage, release }: RubricJudgeOptions): Judge {
  const common = { name, ...(usage === undefined ? {} : { usage }), ...(release === undefined ? {} : { release }) };
  if (rubric.kind === "compare") {
    return createComparingJudge({
      ...common,
      async compareOrdered(requests, options = {}) {
        const answers = requests.length === 0 ? [] : await ask(requests, options);
        return answers.map((judgements) => {
          const preference = averageScores(judgements.map(({ value }) => value));
          return { verdict: nameWinner(preference), preference, ...joinJudgements(judgements) };
        });
      },
    });
  }
  return createGradingJudge(
    {
      ...common,
      range: rubric.range,
      async grade(requests, options = {}) {
        const questions = requests.map(({ prompt, answer }) => ({ prompt, answer }));
        const answers = questions.length === 0 ? [] : await ask(questions, options);
        return answers.map((judgements) => {
          const values = judgements.map(({ value }) => value);
          return { score: averageScores(values), judgements: values, ...joinJudgements(judgements) };
        });
      },
    },
    { tieWithin },
  );
}

function joinJudgements(judgements: readonly Judgement[]): { retries: number; texts?: string[]; mass?: number; problem?: string } {
  const texts = judgements.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const masses = judgements.flatMap(({ mass }) => (mass === undefined ? [] : [mass]));
  const problem = judgements.find((judgement) => judgement.problem !== undefined)?.problem;
  return {
    retries: judgements.reduce((sum, { retries }) => sum + retries, 0),
    ...(texts.length === 0 ? {} : { texts }),
    ...(masses.length === 0 ? {} : { mass: Math.min(...masses) }),
    ...(problem === undefined ? {} : { problem }),
  };
}
