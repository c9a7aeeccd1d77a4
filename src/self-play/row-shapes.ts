/** What the columns of rows between stages hold: people edit these files, so what is read is looked at. */

/** What is wrong with a value, after its name (`answers[0].score: expected …, got …`); undefined: nothing. */
type Shape = (value: unknown, name: string) => string | undefined;

const shape =
  (expected: string, isRight: (value: unknown) => boolean): Shape =>
  (value, name) =>
    isRight(value)
      ? undefined
      : `${name}: expected ${expected}, got ${value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60)}`;

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTurn = (value: unknown): boolean => isObject(value) && typeof value["role"] === "string" && typeof value["content"] === "string";

const text = shape("a text", (value) => typeof value === "string");
const count = shape("a number from 0", (value) => isNumber(value) && value >= 0);
const number = shape("a number", isNumber);
const grade = shape("a number or null", (value) => value === null || isNumber(value));
const isInterval = (value: unknown): boolean => Array.isArray(value) && value.length === 2 && value.every(isNumber);
const interval = shape("[low, high]", isInterval);
const content = shape(
  "a text or messages of {role, content}, not empty",
  (value) => (typeof value === "string" && value !== "") || (Array.isArray(value) && value.length > 0 && value.every(isTurn)),
);
const grades = shape("a list of numbers or nulls", (value) => Array.isArray(value) && value.every((one) => one === null || isNumber(one)));

/** A list of objects with these keys; further ones are none of its business. */
const listOf =
  (keys: { readonly [key: string]: Shape }): Shape =>
  (value, name) => {
    const expected = `a list of {${Object.keys(keys).join(", ")}}`;
    if (!Array.isArray(value)) return shape(expected, () => false)(value, name);
    for (const [i, item] of (value as unknown[]).entries()) {
      if (!isObject(item)) return shape(expected.slice("a list of ".length), () => false)(item, `${name}[${i}]`);
      const wrong = findWrong(item, keys, `${name}[${i}].`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

export interface Shapes {
  readonly [column: string]: Shape;
}

/** The first of the columns that does not hold what it should; undefined: all do. */
export function findWrong(row: { readonly [column: string]: unknown }, shapes: Shapes, prefix = ""): string | undefined {
  for (const [column, check] of Object.entries(shapes)) {
    const wrong = check(row[column], `${prefix}${column}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Figures of a stage's summary. */
export const pairSummaryShapes = {
  prompts: count,
  ties: number,
  answers: count,
  voids: number,
  retries: number,
  mean_score: grade,
  self_agreement: grade,
} satisfies Shapes;
export const gainShapes = { examples: count, loss: number, gain: number, margin: number, accuracy: number, interval } satisfies Shapes;
export const trainingShapes = { steps: count } satisfies Shapes;
export const watchedShapes = {
  mean_length: count,
  distinct_2: count,
  outside_score: grade,
  win_rate: grade,
  win_interval: shape("[low, high] or null", (value) => value === null || isInterval(value)),
} satisfies Shapes;

/** Columns that hold the same in every file. */
export const columnShapes: Shapes = { prompt: content, answer: text, answers: listOf({ text, tokens: count }) };

/** Of rows whose answers have been judged. */
export const judgedShapes: Shapes = {
  ...columnShapes,
  answers: listOf({ text, tokens: count, score: grade, judgements: grades, retries: count }),
};
