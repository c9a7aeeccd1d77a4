/** Rows of JSON lines → columns of texts that can be laid beside each other. */
import { isDeepStrictEqual } from "node:util";
import type { ChatText, SamplePrompt } from "./protocol.ts";

export interface SampleText {
  readonly prompt: SamplePrompt;
  readonly text: string;
  readonly scores: { readonly [name: string]: number };
}

export interface SampleColumn {
  /** Unique in its file, and the same when the file grows. */
  readonly key: string;
  readonly name: string;
  readonly texts: readonly SampleText[];
}

type Row = { readonly [key: string]: unknown };

/** Rows that are none of the known layouts are passed over: a file that is being written may end in half a row. */
export function parseRows(text: string): Row[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    try {
      return [JSON.parse(line) as Row];
    } catch {
      return [];
    }
  });
}

/** A run's samples.jsonl: a column a step. */
export function readRunColumns(rows: readonly Row[], names: ReadonlyMap<number, string> = new Map()): SampleColumn[] {
  const steps = new Map<number, SampleText[]>();
  for (const row of rows) {
    const step = row["step"];
    if (typeof step !== "number") continue;
    const text = readText(row, row["completion"], { ...readScores(row["scores"]), ...pickScore(row) });
    if (text === undefined) continue;
    const list = steps.get(step) ?? [];
    steps.set(step, list);
    list.push(text);
  }
  return [...steps.keys()]
    .sort((a, b) => a - b)
    .map((step) => ({ key: `step-${step}`, name: names.get(step) ?? `step ${step}`, texts: steps.get(step) as SampleText[] }));
}

/** `reward` is listed by name in `scores` too; where it says nothing new, once is enough. */
function pickScore(row: Row): { [name: string]: number } {
  const { score, scores } = row;
  if (typeof score !== "number") return {};
  const listed = Object.values(readScores(scores));
  return listed.length === 1 && isDeepStrictEqual(listed[0], score) ? {} : { score };
}

/** samples.jsonl of `spar eval`: the model, and what it was compared with. */
export function readEvaluationColumns(
  rows: readonly Row[],
  names: { readonly model: string; readonly against: string | null },
): SampleColumn[] {
  const grades: { readonly [verdict: string]: number } = { win: 1, tie: 0.5, lose: 0 };
  const side = (key: "model" | "against", index: number): SampleText[] =>
    rows.flatMap((row) => {
      const reward = (row["rewards"] as readonly unknown[] | undefined)?.[index];
      const won = grades[String(row["verdict"])];
      const scores = {
        ...(typeof reward === "number" ? { reward } : {}),
        ...(won === undefined ? {} : { preferred: index === 0 ? won : 1 - won }),
      };
      return readText(row, row[key], scores) ?? [];
    });
  return [
    { key: "model", name: names.model, texts: side("model", 0) },
    { key: "against", name: names.against ?? "", texts: side("against", 1) },
  ].filter(({ texts }) => texts.length > 0);
}

/** Completions (a column a model, and one for those without a name), candidates, or pairs. */
export function readFileColumns(rows: readonly Row[]): SampleColumn[] {
  const columns = new Map<string, { name: string; texts: SampleText[] }>();
  const add = (key: string, name: string, text: SampleText | undefined): void => {
    if (text === undefined) return;
    const column = columns.get(key) ?? { name, texts: [] };
    columns.set(key, column);
    column.texts.push(text);
  };
  for (const row of rows) {
    const scores = { ...readScores(row["scores"]), ...pickScore(row) };
    const { model, completion, candidates } = row;
    if (typeof completion === "string" || isMessages(completion)) {
      const name = typeof model === "string" ? model : "completion";
      add(`of-${name}`, name, readText(row, completion, scores));
    } else if (Array.isArray(candidates)) {
      for (const [i, candidate] of (candidates as unknown[]).entries()) {
        const text = typeof candidate === "string" ? candidate : (candidate as Row | null)?.["text"];
        add(`candidate-${i}`, `answer ${i + 1}`, readText(row, text, {}));
      }
    } else {
      for (const [column, name] of pairColumns) add(column, name, readText(row, row[column], {}));
    }
  }
  return [...columns].map(([key, { name, texts }]) => ({ key, name, texts }));
}

const pairColumns = [
  ["answer1", "answer 1"],
  ["answer2", "answer 2"],
  ["a", "a"],
  ["b", "b"],
  ["chosen", "chosen"],
  ["rejected", "rejected"],
] as const;

function readText({ prompt }: Row, text: unknown, scores: { readonly [name: string]: number }): SampleText | undefined {
  const shown =
    typeof prompt === "string" ? prompt : isMessages(prompt) ? prompt.map(({ role, content }) => ({ role, content })) : undefined;
  const said = typeof text === "string" ? text : isMessages(text) ? text.map(({ content }) => content).join("\n\n") : undefined;
  return shown === undefined || said === undefined ? undefined : { prompt: shown, text: said, scores };
}

function isMessages(value: unknown): value is readonly ChatText[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item: unknown) => {
      const message = item as Partial<ChatText> | null;
      return typeof message === "object" && typeof message?.role === "string" && typeof message.content === "string";
    })
  );
}

function readScores(scores: unknown): { [name: string]: number } {
  if (typeof scores !== "object" || scores === null) return {};
  return Object.fromEntries(Object.entries(scores).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}
