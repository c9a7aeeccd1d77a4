/** samples.jsonl by step, text and score, a page at a time. */
import { openLineIndex, type LineIndex } from "./lines.ts";
import type { SamplesPage, ShownSample } from "./protocol.ts";

export interface SampleQuery {
  readonly step?: number | undefined;
  /** Must be in the prompt or in the completion; capitals do not matter. */
  readonly text?: string | undefined;
  readonly sort: "file" | "score" | "-score";
  readonly offset: number;
  readonly limit: number;
}

export interface Samples extends Pick<LineIndex, "generation" | "refresh"> {
  readonly rows: number;
  /** Rising, each once. */
  readonly steps: readonly number[];
  find(query: SampleQuery): Promise<SamplesPage>;
}

export function openSamples(path: string): Samples {
  let stepOf: number[] = [];
  let scoreOf: number[] = [];
  const lines = openLineIndex(
    path,
    (row) => {
      const sample = readSample(row, 0);
      stepOf.push(sample.step);
      scoreOf.push(mainScore(sample) ?? NaN);
    },
    () => {
      [stepOf, scoreOf] = [[], []];
    },
  );

  async function select({ step, text, sort }: SampleQuery): Promise<number[]> {
    let rows: number[] = [];
    const wanted = text?.toLowerCase();
    const fits = (row: number): boolean => step === undefined || stepOf[row] === step;
    if (wanted === undefined || wanted === "") rows = stepOf.flatMap((_, row) => (fits(row) ? [row] : []));
    else {
      await lines.scan((row, number) => {
        if (!fits(number)) return;
        const { prompt, completion } = readSample(row, number);
        if (prompt.toLowerCase().includes(wanted) || completion.toLowerCase().includes(wanted)) rows.push(number);
      });
    }
    if (sort === "file") return rows;
    // Rows without a score come last, whichever way.
    const sign = sort === "score" ? 1 : -1;
    const place = (row: number): number => (Number.isNaN(scoreOf[row]) ? Infinity : sign * scoreOf[row]);
    return rows.sort((a, b) => (place(a) === place(b) ? a - b : place(a) - place(b)));
  }

  return {
    get rows() {
      return lines.rows;
    },
    get generation() {
      return lines.generation;
    },
    get steps() {
      return [...new Set(stepOf)].sort((a, b) => a - b);
    },
    refresh: () => lines.refresh(),
    async find(query) {
      const rows = await select(query);
      const page: ShownSample[] = [];
      for (const row of rows.slice(query.offset, query.offset + query.limit)) {
        const [found] = await lines.read(row, 1);
        page.push(readSample(found, row));
      }
      return { total: rows.length, rows: page };
    },
  };
}

const isObject = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const asText = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));

function readSample(row: unknown, number: number): ShownSample {
  const { step, prompt, completion, scores, ...columns } = isObject(row) ? row : {};
  const numbers = isObject(scores) ? Object.entries(scores).filter((entry): entry is [string, number] => typeof entry[1] === "number") : [];
  if (typeof columns["score"] === "number" && numbers.length !== 1) numbers.unshift(["score", columns["score"]]);
  return {
    row: number,
    step: typeof step === "number" ? step : 0,
    prompt: asText(prompt),
    completion: asText(completion),
    scores: Object.fromEntries(numbers),
    columns,
  };
}

/** What samples are sorted by: the whole score, or else the first of its parts. */
function mainScore({ scores, columns }: ShownSample): number | undefined {
  return typeof columns["score"] === "number" ? columns["score"] : Object.values(scores)[0];
}
