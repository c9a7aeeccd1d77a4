/**
 * Judging examples (EFT in Yuan et al. 2024) out of what people said: each teaches a model to give, in the rubric's words, the judgement
 * that people gave. Made of graded or labelled answers, or of preferences.
 */
import { detectFormat, isLabelRow, parseLabelRow, type Content, type LabelRow, type Message, type Row } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import {
  chooseMajority,
  parseAnswer,
  parseLabelledComparison,
  readHumanLabels,
  renderRubric,
  type GradeRequest,
  type LabelledComparison,
  type Rubric,
} from "../rewards/index.ts";

export interface JudgingExample {
  readonly prompt: Content;
  readonly completion: Content;
}

/**
 * - Any layout of preference pairs, `{prompt, a, b, labels}`, and labels of `spar label`: by a rubric that grades, the best judgement of
 *   the preferred answer and the worst of the other; by one that compares, both orders. Where people are divided it is a tie, of which a
 *   rubric that grades makes nothing, and neither does one without a judgement of .5.
 * - `{prompt?, answer or completion or text, score}`, or `scores`, of which the mean counts: the rubric's judgement nearest to it; `reason`
 *   goes before it.
 * - `{…, label: true | false}`, or 1 and 0: the best or the worst judgement.
 * - What is left has to be an example already, a prompt and its completion, and stays.
 *
 * Conversations are split into what was asked and the last answer. Throws `self-play/bad-examples` naming the row.
 */
export function buildJudgingExamples(rows: readonly Row[], rubric: Rubric, { isChat }: { readonly isChat: boolean }): JudgingExample[] {
  const writer = createExampleWriter(rubric, isChat);
  const labels: LabelRow[] = [];
  const examples = rows.flatMap((row, i): JudgingExample[] => {
    try {
      if (isLabelRow(row)) {
        labels.push(parseLabelRow(row));
        return [];
      }
      if (isComparison(row)) return writer.compare(parseLabelledComparison(alignTurns(row)));
      const { score, scores, label } = row;
      if (isGiven(score) || isGiven(scores)) return writer.grade(readAnswer(row), readScore(row, rubric), row["reason"]);
      if (isGiven(label)) return writer.label(readAnswer(row), readLabel(label), row["reason"]);
      return [readExample(row, isChat)];
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      throw new SparError("self-play/bad-examples", `judging example ${i + 1}: ${error.message}`, {
        hint: "Give {prompt, completion}, {prompt, answer, score}, {prompt, answer, label}, {prompt, a, b, labels}, preference pairs or labels of spar label.",
        cause: error,
      });
    }
  });
  // Later labels may revise earlier ones, and those of several people belong together.
  const all = [...examples, ...readHumanLabels(labels).comparisons.flatMap(writer.compare)];
  if (all.length === 0 && rows.length > 0)
    throw new SparError("self-play/bad-examples", `judging examples: none of ${rows.length} rows says which answer is the better one`, {
      hint: "Ties and skips teach a judge nothing: label more.",
    });
  return all;
}

interface ExampleWriter {
  compare(labelled: LabelledComparison): JudgingExample[];
  grade(request: GradeRequest, score: number, reason: unknown): JudgingExample[];
  label(request: GradeRequest, isGood: boolean, reason: unknown): JudgingExample[];
}

type Said = Rubric["answers"][number];

function createExampleWriter(rubric: Rubric, isChat: boolean): ExampleWriter {
  const answers = [...rubric.answers].sort((a, b) => a.value - b.value);
  const [worst, best] = [answers[0], answers[answers.length - 1]];
  const even = answers.find(({ value }) => value === 0.5);
  const asMessages = isChat && rubric.chat !== false;

  const write = (values: Parameters<typeof renderRubric>[1], said: Said, reason?: unknown): JudgingExample => {
    const question = renderRubric(rubric, values);
    const judgement = `${typeof reason === "string" && reason.trim() !== "" ? `${reason.trim()}\n` : ""}${rubric.lead}${said.text}`;
    if (asMessages)
      return { prompt: [{ role: "user", content: question }], completion: [{ role: "assistant", content: judgement.trim() }] };
    // As the judge is asked: a rubric without a lead is answered on the spot.
    return { prompt: rubric.lead === "" ? question : `${question}\n\n`, completion: judgement };
  };
  const judgeOne = ({ prompt, answer }: GradeRequest, said: Said, reason: unknown): JudgingExample[] => {
    if (rubric.kind !== "grade") throw bad(`a single answer cannot be judged by ${rubric.name}, which compares two`);
    return [write({ prompt, answer }, said, reason)];
  };

  return {
    compare({ prompt, a, b, labels }) {
      const verdict = chooseMajority(labels);
      if (verdict === "tie") {
        if (rubric.kind === "grade" || even === undefined) return [];
        return [write({ prompt, first: a, second: b }, even), write({ prompt, first: b, second: a }, even)];
      }
      const [chosen, rejected] = verdict === "a" ? [a, b] : [b, a];
      if (rubric.kind === "grade") return [write({ prompt, answer: chosen }, best), write({ prompt, answer: rejected }, worst)];
      return [write({ prompt, first: chosen, second: rejected }, best), write({ prompt, first: rejected, second: chosen }, worst)];
    },
    grade(request, score, reason) {
      const distance = ({ value }: Said): number => Math.abs(value - score);
      const nearest = answers.reduce((near, answer) => (distance(answer) < distance(near) ? answer : near));
      return judgeOne(request, nearest, reason);
    },
    label: (request, isGood, reason) => judgeOne(request, isGood ? best : worst, reason),
  };
}

/** Rows of two answers, in any of the layouts that preferences come in. */
function isComparison(row: Row): boolean {
  return "a" in row || "b" in row || "rejected" in row || "rejected_ids" in row || ("data" in row && "annotations" in row);
}

/**
 * A pair whose prompt and sides are written in different forms, or whose sides repeat the prompt (UltraFeedback's do), with everything in
 * one form and each turn once.
 */
function alignTurns(row: Row): Row {
  const { prompt, chosen, rejected } = row;
  const sides = [chosen, rejected];
  if (isTurns(prompt) && sides.every((side) => typeof side === "string")) {
    const [better, worse] = sides.map((content) => [{ role: "assistant", content }]);
    return { ...row, chosen: better, rejected: worse };
  }
  if (prompt === undefined || prompt === null || !sides.every(isTurns)) return row;
  const [better, worse] = sides as Message[][];
  const same = (a: Message | undefined, b: Message | undefined): boolean => a?.role === b?.role && a?.content === b?.content;
  let shared = 0;
  while (shared < Math.min(better.length, worse.length) - 1 && same(better[shared], worse[shared])) shared++;
  const turns = typeof prompt !== "string" ? (prompt as Message[]) : prompt === "" ? [] : [{ role: "user", content: prompt }];
  const asked = better.slice(0, shared);
  // Sides that begin with what was asked hold all of it; else it stands in `prompt` alone.
  const repeats =
    turns.every((turn) => asked.some((other) => same(turn, other))) ||
    (typeof prompt === "string" && asked.some(({ role }) => role === "user"));
  return { ...row, prompt: repeats ? asked : [...turns, ...asked], chosen: better.slice(shared), rejected: worse.slice(shared) };
}

/** Neither absent nor null, as a table's empty cells are. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isTurns(value: unknown): value is Message[] {
  return Array.isArray(value) && value.every((turn) => typeof turn === "object" && turn !== null && "role" in turn && "content" in turn);
}

/** An answer and what it answers: of a conversation the last turn is the answer. */
function readAnswer(row: Row): GradeRequest {
  const said = row["answer"] ?? row["completion"] ?? row["text"] ?? row["messages"];
  if (said === undefined) throw bad("expected an answer (column answer, completion, text or messages)");
  const { prompt } = row;
  if (!isTurns(said) || said.length < 2) return parseAnswer({ prompt, answer: said });
  if (said[said.length - 1].role !== "assistant") throw bad("expected a conversation that ends with the assistant's answer");
  const turns = typeof prompt === "string" && prompt !== "" && said[0].role !== "user" ? [{ role: "user", content: prompt }] : [];
  const before = isTurns(prompt) && prompt[0]?.content !== said[0].content ? prompt : turns;
  return parseAnswer({ prompt: [...before, ...said.slice(0, -1)], answer: said.slice(-1) });
}

function readScore({ score, scores }: Row, { range: [low, high] }: Rubric): number {
  const name = isGiven(scores) ? "scores" : "score";
  const given: unknown = isGiven(scores) ? scores : [score];
  const isGrade = (value: unknown): value is number => typeof value === "number" && value >= low && value <= high;
  if (!Array.isArray(given) || given.length === 0)
    throw bad(`scores: expected numbers from ${low} to ${high}, got ${JSON.stringify(given)}`);
  const wrong: unknown = given.find((value) => !isGrade(value));
  if (wrong !== undefined) throw bad(`${name}: expected a number from ${low} to ${high}, got ${JSON.stringify(wrong)}`);
  return (given as number[]).reduce((sum, value) => sum + value, 0) / given.length;
}

function readLabel(label: unknown): boolean {
  if (label === true || label === 1) return true;
  if (label === false || label === 0) return false;
  throw bad(`label: expected true or false (or 1 or 0), got ${JSON.stringify(label)}`);
}

/** A prompt and its completion as they are, or a conversation with its last answer. */
function readExample(row: Row, isChat: boolean): JudgingExample {
  const unknown = (): SparError => bad(`found the columns ${Object.keys(row).join(", ")}, without a judgement`);
  let format: ReturnType<typeof detectFormat<"text">>;
  try {
    format = detectFormat(row, "text", { hasChatTemplate: isChat });
  } catch {
    throw unknown();
  }
  const example = format.convert(row);
  if (example.kind === "prompt-completion") return { prompt: example.prompt, completion: example.completion };
  const last = example.kind === "messages" ? example.messages.at(-1) : undefined;
  if (example.kind === "messages" && last?.role === "assistant" && example.messages.length > 1)
    return { prompt: example.messages.slice(0, -1), completion: [last] };
  throw unknown();
}

const bad = (found: string): SparError => new SparError("self-play/bad-examples", found);
