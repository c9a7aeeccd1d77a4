/**
 * Judging examples (EFT in Yuan et al. 2024) out of what people said: each teaches a model to give, in the rubric's words, the judgement
 * that people gave. Made of graded or labelled answers, or of preferences.
 */
import type { Content, Message, Row } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { renderRubric, type Rubric } from "../rewards/index.ts";

export interface JudgingExample {
  readonly prompt: Content;
  readonly completion: Content;
}

/**
 * - `{prompt, completion}` without a label is an example already, and stays.
 * - `{prompt?, answer or completion or text, score}`: the rubric's judgement nearest to the score; `reason` goes before it.
 * - `{…, label: true | false}`: the best or the worst judgement.
 * - `{prompt, chosen, rejected}`: by a rubric that grades, the best judgement of the one and the worst of the other; by one that
 *   compares, both orders.
 *
 * Throws `self-play/bad-examples` naming the row.
 */
export function buildJudgingExamples(rows: readonly Row[], rubric: Rubric, { isChat }: { readonly isChat: boolean }): JudgingExample[] {
  const answers = [...rubric.answers].sort((a, b) => a.value - b.value);
  const [worst, best] = [answers[0], answers[answers.length - 1]];
  const asMessages = isChat && rubric.chat !== false;

  const example = (values: Parameters<typeof renderRubric>[1], said: { readonly text: string }, reason?: unknown): JudgingExample => {
    const question = renderRubric(rubric, values);
    const judgement = `${typeof reason === "string" && reason.trim() !== "" ? `${reason.trim()}\n` : ""}${rubric.lead}${said.text}`;
    if (asMessages)
      return { prompt: [{ role: "user", content: question }], completion: [{ role: "assistant", content: judgement.trim() }] };
    // As the judge is asked: a rubric without a lead is answered on the spot.
    return { prompt: rubric.lead === "" ? question : `${question}\n\n`, completion: judgement };
  };
  const nearest = (score: number): { readonly text: string } =>
    answers.reduce((near, answer) => (Math.abs(answer.value - score) < Math.abs(near.value - score) ? answer : near));

  return rows.flatMap((row, i): JudgingExample[] => {
    const wrong = (found: string): SparError =>
      new SparError("self-play/bad-examples", `judging example ${i + 1}: ${found}`, {
        hint: "Give {prompt, completion}, {prompt, answer, score}, {prompt, answer, label} or {prompt, chosen, rejected}.",
      });
    const prompt = (row["prompt"] ?? "") as Content;
    if ("chosen" in row && "rejected" in row) {
      const [chosen, rejected] = [readText(row["chosen"]), readText(row["rejected"])];
      if (chosen === undefined || rejected === undefined) throw wrong("chosen and rejected: expected texts or messages");
      if (rubric.kind === "grade") return [example({ prompt, answer: chosen }, best), example({ prompt, answer: rejected }, worst)];
      return [example({ prompt, first: chosen, second: rejected }, best), example({ prompt, first: rejected, second: chosen }, worst)];
    }
    const { score, label } = row;
    if (score === undefined && label === undefined) {
      if (row["prompt"] === undefined || row["completion"] === undefined)
        throw wrong(`found the columns ${Object.keys(row).join(", ") || "of none"}`);
      return [{ prompt, completion: row["completion"] as Content }];
    }
    const answer = readText(row["answer"] ?? row["completion"] ?? row["text"]);
    if (answer === undefined) throw wrong("expected an answer (column answer, completion or text)");
    if (rubric.kind !== "grade") throw wrong(`a single answer cannot be judged by ${rubric.name}, which compares two`);
    const [low, high] = rubric.range;
    if (score !== undefined) {
      if (typeof score !== "number" || !(score >= low && score <= high))
        throw wrong(`score: expected a number from ${low} to ${high}, got ${JSON.stringify(score)}`);
      return [example({ prompt, answer }, nearest(score), row["reason"])];
    }
    if (typeof label !== "boolean") throw wrong(`label: expected true or false, got ${JSON.stringify(label)}`);
    return [example({ prompt, answer }, label ? best : worst, row["reason"])];
  });
}

function readText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  return (value as Message[]).map(({ content }) => (typeof content === "string" ? content : "")).join("\n");
}
