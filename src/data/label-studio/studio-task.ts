/** A task of Label Studio → the task that was asked about, and every label as it was given. */

import { createHash } from "node:crypto";
import type { Content, Message } from "../formats/example.ts";
import { readOptionalText, readText, RowProblem } from "../formats/read-values.ts";
import type { LabelCandidate, LabelRow } from "../labels/label-row.ts";
import { isRow, type Row } from "../row.ts";
import { listAnnotations, readStudioResults, type SideNames, type StudioVerdict } from "./studio-results.ts";

/** A line of labels.jsonl, and where in Label Studio it is. */
export interface StudioLabel extends LabelRow {
  readonly label_studio: {
    readonly task: number | string | null;
    readonly annotation: number | string | null;
    /** Submitted with nothing chosen, or with both sides. */
    readonly note?: "empty" | "contradiction";
  };
}

export interface StudioTask {
  /** `pair_id` of meta or data, where there is one; else Label Studio's number. */
  readonly id: string;
  readonly prompt: Content;
  readonly candidates: readonly LabelCandidate[];
  /** Which candidate was shown at each position, from the left. */
  readonly order: readonly number[];
  /** Submitted and skipped annotations, the oldest first; drafts are none. */
  readonly labels: readonly StudioLabel[];
}

export interface ReadStudioOptions {
  /** What the project's Pairwise tag calls its sides besides `left` and `right`. */
  readonly sides?: SideNames | undefined;
  /** Ratings go from 1 to this, where the task does not say. */
  readonly ratingMax?: number | undefined;
}

/**
 * Reads a task of a JSON export, or of the API. Its `data` holds the answers as they were shown; `meta` may say how they were shuffled
 * (`order`, or `swap`), and what the prompt is where it is a conversation.
 * @throws {RowProblem} what was found and what is expected
 */
export function readStudioTask(row: Row, { sides, ratingMax }: ReadStudioOptions = {}): StudioTask {
  const data = readStudioData(row);
  const meta = isRow(row["meta"]) ? row["meta"] : {};
  const shown = listShownAnswers(data, sides);
  const order = readOrder(meta, shown.answers.length);
  const models = Array.isArray(meta["models"]) ? (meta["models"] as unknown[]) : [];
  const candidates: LabelCandidate[] = shown.answers.map(() => ({ text: "" }));
  for (const [position, candidate] of order.entries()) {
    const model = models[candidate];
    candidates[candidate] = { text: shown.answers[position], ...(typeof model === "string" ? { model } : {}) };
  }
  const id = nameTask(row, data, meta);
  const prompt: Content = isConversation(meta["prompt"]) ? meta["prompt"] : readOptionalText(data, "prompt");
  const annotations = listAnnotations(row);
  if (annotations === undefined) throw new RowProblem("expected a list of annotations");
  const names: SideNames = {
    left: [...(sides?.left ?? []), ...shown.names.slice(shown.isReversed ? 1 : 0).slice(0, 1)],
    right: [...(sides?.right ?? []), ...shown.names.slice(shown.isReversed ? 0 : 1).slice(0, 1)],
  };
  const max = typeof meta["rating_max"] === "number" ? meta["rating_max"] : ratingMax;
  const labels = annotations.map((annotation) => {
    if (!isRow(annotation)) throw new RowProblem("expected annotations of the form {was_cancelled, result}");
    const verdict = readVerdict(annotation, names);
    const said = shown.isReversed ? { ...verdict, choice: mirrorChoice(verdict.choice) } : verdict;
    return {
      ...nameLabel(row, annotation),
      task: id,
      prompt,
      candidates,
      order,
      ...describeVerdict(said, shown, order, max),
      ...readTimes(annotation),
      guidelines_version: 0,
      label_studio: {
        task: readId(row["id"]),
        annotation: readId(annotation["id"]),
        ...(said.isContradiction === true ? { note: "contradiction" as const } : said.isEmpty ? { note: "empty" as const } : {}),
      },
    };
  });
  // The API gives the newest first, exports the oldest.
  const sorted = labels.toSorted(
    (a, b) => compareTexts(a.given, b.given) || Number(a.label_studio.annotation) - Number(b.label_studio.annotation) || 0,
  );
  return { id, prompt, candidates, order, labels: sorted };
}

/** Whether the row is a task of Label Studio with something to compare. */
export function isStudioTask(row: Row): boolean {
  const { data } = row;
  if (!isRow(data) || !["string", "undefined"].includes(typeof data["prompt"]) || listAnnotations(row) === undefined) return false;
  return findAnswerColumns(data) !== undefined || findItems(data) !== undefined;
}

export function readStudioData(row: Row): Row {
  if (!isRow(row["data"])) throw new RowProblem("expected a task with data {prompt, answer1, answer2}");
  return row["data"];
}

/** `answer1` and `answer2`, or whatever two text columns differ only in their last 1 and 2. */
export function findAnswerColumns(data: Row): [string, string] | undefined {
  for (const left of Object.keys(data)) {
    if (!left.endsWith("1")) continue;
    const right = `${left.slice(0, -1)}2`;
    if (typeof data[left] === "string" && typeof data[right] === "string") return [left, right];
  }
  return undefined;
}

/** The list that rankings and ratings are of: `[{id, body}, …]`. */
function findItems(data: Row): readonly Row[] | undefined {
  const { items } = data;
  return Array.isArray(items) && items.length >= 2 && items.every((item) => isRow(item) && typeof item["body"] === "string")
    ? (items as Row[])
    : undefined;
}

interface ShownAnswers {
  readonly answers: readonly string[];
  /** What results call them: columns of the data, or ids of items. */
  readonly names: readonly string[];
  /** What Label Studio calls left is the second of these. */
  readonly isReversed: boolean;
}

function listShownAnswers(data: Row, sides: SideNames | undefined): ShownAnswers {
  const items = findItems(data);
  if (items !== undefined)
    return {
      answers: items.map((item) => readText(item, "body")),
      names: items.map((item, i) => String(item["id"] ?? i)),
      isReversed: false,
    };
  const usual = findAnswerColumns(data);
  const configured = sides?.columns?.every((column) => typeof data[column] === "string") === true ? sides.columns : undefined;
  const isReversed = usual !== undefined && configured !== undefined && configured[0] === usual[1] && configured[1] === usual[0];
  // In the order of their names, which is that of the shuffle, whichever of them the configuration puts on the left.
  const columns = isReversed ? usual : (configured ?? usual);
  if (columns === undefined) throw new RowProblem("expected two answers (answer1, answer2) in data");
  return { answers: columns.map((column) => readText(data, column)), names: columns, isReversed };
}

function mirrorChoice(choice: StudioVerdict["choice"]): StudioVerdict["choice"] {
  if (choice === "left") return "right";
  return choice === "right" ? "left" : choice;
}

function readOrder(meta: Row, count: number): number[] {
  const asShown = Array.from({ length: count }, (_, i) => i);
  const { order, swap } = meta;
  if (Array.isArray(order) && order.length === count && asShown.every((i) => order.includes(i))) return order as number[];
  return swap === true && count === 2 ? [1, 0] : asShown;
}

function nameTask(row: Row, data: Row, meta: Row): string {
  for (const id of [meta["pair_id"], data["pair_id"], row["id"]]) {
    if ((typeof id === "string" && id !== "") || typeof id === "number") return String(id);
  }
  return createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 16);
}

type Said = StudioVerdict & { readonly isEmpty: boolean };

function readVerdict(annotation: Row, sides: SideNames): Said {
  if (annotation["was_cancelled"] === true || annotation["skipped"] === true) return { choice: "skip", isEmpty: false };
  const { result } = annotation;
  const verdict = readStudioResults(Array.isArray(result) ? (result as unknown[]) : [], sides);
  const isEmpty = verdict.choice === null && verdict.ranking === undefined && verdict.ratings === undefined;
  return { ...verdict, isEmpty };
}

type Judgement = Pick<LabelRow, "choice" | "ranking" | "ratings" | "rating_max" | "comment">;

/** In the task's own order instead of that on the screen. */
function describeVerdict(said: Said, shown: ShownAnswers, order: readonly number[], max: number | undefined): Judgement {
  const comment = said.comment === undefined ? {} : { comment: said.comment };
  const { choice } = said;
  if (choice === "left" || choice === "right") {
    // A side of more than two says nothing.
    if (order.length !== 2) return { choice: "skip", ...comment };
    return { choice: order[choice === "left" ? 0 : 1] === 0 ? "a" : "b", ...comment };
  }
  if (choice !== null) return { choice, ...comment };
  const ranked = said.ranking?.map((name) => shown.names.indexOf(name));
  if (ranked !== undefined && ranked.length === order.length && new Set(ranked).size === order.length && !ranked.includes(-1))
    return { choice: null, ranking: ranked.map((position) => [order[position]]), ...comment };
  if (said.ratings !== undefined) {
    const ratings: (number | null)[] = order.map(() => null);
    for (const [name, rating] of said.ratings) {
      const position = shown.names.includes(name) ? shown.names.indexOf(name) : Number(/(\d+)$/.exec(name)?.[1] ?? NaN);
      const candidate = order[position];
      if (candidate !== undefined) ratings[candidate] = rating;
    }
    return { choice: null, ratings, ...(max === undefined ? {} : { rating_max: max }), ...comment };
  }
  return { choice: "skip", ...comment };
}

function nameLabel(row: Row, annotation: Row): { id: string; annotator: string } {
  const by = annotation["completed_by"];
  // The API gives a number in lists and an object alone: the same person either way.
  const name = isRow(by) ? (by["id"] ?? by["email"]) : by;
  const annotator = typeof name === "string" || typeof name === "number" ? String(name) : "";
  const own = readId(annotation["id"]) ?? readId(annotation["unique_id"]);
  return { id: `label-studio-${own ?? `${String(row["id"])}-${annotator}`}`, annotator: annotator === "" ? "unknown" : annotator };
}

function readTimes(annotation: Row): { milliseconds: number; given: string } {
  const seconds = Number(annotation["lead_time"] ?? 0);
  const given = annotation["updated_at"] ?? annotation["created_at"];
  return {
    milliseconds: Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 1000)) : 0,
    // Old exports have seconds since 1970.
    given:
      typeof given === "number"
        ? new Date(given * 1000).toISOString()
        : typeof given === "string" && given !== ""
          ? given
          : "1970-01-01T00:00:00Z",
  };
}

function readId(value: unknown): number | string | null {
  return typeof value === "number" || (typeof value === "string" && value !== "") ? value : null;
}

function isConversation(value: unknown): value is Message[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => isRow(item) && typeof item["role"] === "string" && typeof item["content"] === "string")
  );
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whether the task's answers go on where its prompt ends. */
export function isContinued(row: Row): boolean {
  return isRow(row["meta"]) && row["meta"]["continues"] === true;
}
