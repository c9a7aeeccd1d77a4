/** A rubric's question as text and as ids, up to the place where the judgement is written. */
import { SparError } from "../../internal/errors.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Question } from "./rubric-judge.ts";
import { renderRubric, type Rubric } from "./rubric.ts";

/** The text that the model continues with its judgement. Chat templates write special tokens themselves: no more are to be added. */
export function renderQuestion(rubric: Rubric, question: Question, tokenizer: Tokenizer): { text: string; isChat: boolean } {
  const specialTokens = [...tokenizer.specialIds].flatMap((id) => tokenizer.idToToken(id) ?? []);
  const content = renderRubric(rubric, question, specialTokens);
  if (rubric.chat !== false && tokenizer.hasChatTemplate)
    return { text: tokenizer.applyChatTemplate([{ role: "user", content }], { addGenerationPrompt: true }), isChat: true };
  return { text: rubric.lead === "" ? content : `${content}\n\n`, isChat: false };
}

/**
 * Gives the ids of a question up to and without its answer, and the token of each of the rubric's answers there. Which these are
 * depends on the tokenizer ("Score: 3" may be `Score` `:` ` 3` or `Score` `:` ` ` `3`), so whole texts are tokenised and compared.
 *
 * Throws `judge/answer-tokens` where an answer is more than one token, or two begin with the same.
 */
export function createAnswerEncoder(rubric: Rubric, tokenizer: Tokenizer): (question: Question) => { ids: number[]; tokens: number[] } {
  let known: readonly number[] | undefined;
  return (question) => {
    const { text, isChat } = renderQuestion(rubric, question, tokenizer);
    const encode = (answer: string): number[] => {
      const ids = tokenizer.encode(`${text}${rubric.lead}${answer}`, { addSpecialTokens: !isChat });
      // Some tokenizers end every text with an end token.
      return ids.length > 1 && ids.at(-1) === tokenizer.eosId ? ids.slice(0, -1) : ids;
    };
    const first = encode(rubric.answers[0].text);
    if (known === undefined || first.at(-1) !== known[0]) {
      const all = [first, ...rubric.answers.slice(1).map((answer) => encode(answer.text))];
      checkAnswers(all, rubric, tokenizer);
      known = all.map((ids) => ids[ids.length - 1]);
    }
    return { ids: first.slice(0, -1), tokens: [...known] };
  };
}

function checkAnswers(all: readonly (readonly number[])[], rubric: Rubric, tokenizer: Tokenizer): void {
  let common = 0;
  while (all.every((ids) => common < ids.length && ids[common] === all[0][common])) common++;
  if (all.every((ids) => ids.length === common + 1)) return;
  const shown = all.map((ids, i) => {
    const pieces = ids.slice(common).map((id) => JSON.stringify(tokenizer.idToToken(id) ?? id));
    return `${JSON.stringify(rubric.answers[i].text)} is ${pieces.join(" ") || "nothing"}`;
  });
  throw new SparError(
    "judge/answer-tokens",
    `Rubric ${rubric.name}: expected each answer to be one token of this tokenizer after ${JSON.stringify(rubric.lead || rubric.template.slice(-20))}, got: ${shown.join("; ")}`,
    { hint: "Give the rubric answers that are single tokens, or let the judge write its judgement (mode sample)." },
  );
}
