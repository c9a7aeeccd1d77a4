/** Grade-school arithmetic (Cobbe et al. 2021, arXiv 2110.14168): a question in words, one number as the answer. */
import { SparError } from "../internal/errors.ts";
import type { ChatMessage } from "../tokenizer/index.ts";
import { intervalOfShare, type Interval } from "./interval.ts";

export interface ArithmeticQuestion {
  readonly question: string;
  /** With its steps, as the data set writes it; calculator marks `<<1+1=2>>` are taken out. */
  readonly solution: string;
  readonly answer: number;
}

export interface ArithmeticResult {
  readonly n: number;
  readonly correct: number;
  readonly accuracy: number;
  /** 95 %, Wilson. */
  readonly interval: Interval;
  /** Answers without any number. */
  readonly unanswered: number;
}

/** A row `{question, answer}` whose answer ends with `#### N`, as the data set has it, or is the number alone. Throws `data/bad-row`. */
export function parseArithmeticQuestion(row: { readonly [column: string]: unknown }): ArithmeticQuestion {
  const { question, answer } = row;
  if (typeof question !== "string" || question.trim() === "")
    throw new SparError("data/bad-row", `question: expected a text, found ${JSON.stringify(question)}`);
  if (typeof answer !== "string" && typeof answer !== "number")
    throw new SparError("data/bad-row", `answer: expected a text that ends with #### N, found ${JSON.stringify(answer)}`);
  const number = extractAnswer(String(answer));
  if (number === undefined)
    throw new SparError("data/bad-row", `answer: expected a number after ####, found ${JSON.stringify(String(answer).slice(-40))}`);
  return { question, solution: String(answer).replaceAll(/<<.*?>>/g, ""), answer: number };
}

/** The number after the last `####`, or else the last number of the text; undefined where there is none. */
export function extractAnswer(text: string): number | undefined {
  const marked = text.lastIndexOf("####");
  const after = marked < 0 ? undefined : firstOf(findNumbers(text.slice(marked + 4).split("\n")[0]));
  return after ?? findNumbers(text).at(-1);
}

/** `1,234.50`, `$5`, `-3`; not the 3 of `x3`, and 5-3 has no −3. */
function findNumbers(text: string): number[] {
  const found = text.matchAll(/(?<![\w.])(-?)\$?(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?/g);
  return [...found].map(([, sign, whole, fraction = ""]) => Number(`${sign}${whole.replaceAll(",", "")}${fraction}`));
}

const firstOf = <T>(values: readonly T[]): T | undefined => values[0];

export const arithmeticInstruction = "Solve this step by step. End with the answer alone, a number, after ####.";

/** A conversation where the model has a chat template, else a text that goes on after the solved examples; the text's answers end before the next question. */
export function promptArithmetic(
  { question }: ArithmeticQuestion,
  examples: readonly ArithmeticQuestion[],
  hasChatTemplate: boolean,
): { readonly prompt: string | ChatMessage[]; readonly stopTexts: readonly string[] } {
  const ask = (text: string): ChatMessage => ({ role: "user", content: `${arithmeticInstruction}\n\n${text}` });
  if (hasChatTemplate) {
    const shown = examples.flatMap((example): ChatMessage[] => [ask(example.question), { role: "assistant", content: example.solution }]);
    return { prompt: [...shown, ask(question)], stopTexts: [] };
  }
  const shown = examples.map((example) => `Question: ${example.question}\nAnswer: ${example.solution}\n\n`);
  return { prompt: `${shown.join("")}Question: ${question}\nAnswer:`, stopTexts: ["\nQuestion:"] };
}

export function isRight(text: string, { answer }: ArithmeticQuestion): boolean {
  const given = extractAnswer(text);
  return given !== undefined && Math.abs(given - answer) < 1e-6 * Math.max(1, Math.abs(answer));
}

export function measureArithmetic(questions: readonly ArithmeticQuestion[], texts: readonly string[]): ArithmeticResult {
  const correct = questions.filter((question, i) => isRight(texts[i], question)).length;
  return {
    n: questions.length,
    correct,
    accuracy: correct / questions.length,
    interval: intervalOfShare(correct, questions.length),
    unanswered: texts.filter((text) => extractAnswer(text) === undefined).length,
  };
}
