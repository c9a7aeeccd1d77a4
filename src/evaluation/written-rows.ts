/** What models answered, as rows of samples.jsonl, gsm8k.jsonl and mt-bench.jsonl. */
import type { EvaluationOptions, Written, WrittenRows } from "./evaluation-options.ts";
import { extractAnswer, isRight } from "./gsm8k.ts";

/** What a judge said of a turn of MT-bench. */
export type BenchRemark = Pick<WrittenRows["mtBench"][number]["turns"][number], "score" | "verdict">;

/** `judged`: by side, question and turn. */
export function listWritten(
  written: readonly Written[],
  { prompts, gsm8k, mtBench }: Pick<EvaluationOptions, "prompts" | "gsm8k" | "mtBench">,
  judged: readonly (readonly (readonly BenchRemark[])[])[] = [],
): WrittenRows {
  const [model, against] = written;
  return {
    rows: (prompts?.rows ?? []).map(({ prompt }, i) => ({
      prompt,
      model: model.answers[i].text,
      ...(against === undefined ? {} : { against: against.answers[i].text }),
    })),
    gsm8k: written.flatMap(({ source, arithmetic }) =>
      (gsm8k?.questions ?? []).map((question, i) => ({
        model: source.name,
        question: question.question,
        answer: question.answer,
        completion: arithmetic[i].text,
        extracted: extractAnswer(arithmetic[i].text) ?? null,
        right: isRight(arithmetic[i].text, question),
      })),
    ),
    mtBench: written.flatMap(({ source, bench }, side) =>
      (mtBench?.questions ?? []).map(({ id, category, turns }, i) => ({
        model: source.name,
        question_id: id,
        category,
        turns: turns.map((user, turn) => ({ user, assistant: bench[i][turn], ...judged[side]?.[i]?.[turn] })),
      })),
    ),
  };
}
