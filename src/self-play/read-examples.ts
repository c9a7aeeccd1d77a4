/** Prompts, and prompts with people's answers, out of data in any layout. */
import { detectFormat, formatPlace, loadDataset, type Content, type Dataset, type DatasetSpec, type Row } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";

export interface PromptRow {
  readonly prompt: Content;
  /** Further columns, for reward functions. */
  readonly [column: string]: unknown;
}

export interface AnsweredRow {
  readonly prompt: Content;
  readonly answer: string;
}

interface ReadOptions {
  readonly hasChatTemplate: boolean;
  readonly seed: number;
}

/** Throws `data/…`. Further columns of a row are kept; answers that stand beside the prompt are not. */
export async function loadPromptRows(specs: readonly DatasetSpec[], { hasChatTemplate, seed }: ReadOptions): Promise<PromptRow[]> {
  const answers = new Set(["completion", "chosen", "rejected", "messages", "conversations", "output", "instruction", "input", "text"]);
  return readDataset(specs, seed, async (dataset) => {
    const { convert } = detectFormat(await dataset.read(0), "prompt", { hasChatTemplate }, dataset.tasks.join(", "));
    return eachRow(dataset, (row) => ({
      ...Object.fromEntries(Object.entries(row).filter(([column]) => !answers.has(column))),
      prompt: convert(row).prompt,
    }));
  });
}

/** Of conversations the last turn is the answer. */
export async function loadAnsweredRows(specs: readonly DatasetSpec[], { hasChatTemplate, seed }: ReadOptions): Promise<AnsweredRow[]> {
  return readDataset(specs, seed, async (dataset) => {
    const { convert } = detectFormat(await dataset.read(0), "text", { hasChatTemplate }, dataset.tasks.join(", "));
    return eachRow(dataset, (row) => {
      const example = convert(row);
      if (example.kind === "prompt-completion") return { prompt: example.prompt, answer: readAnswer(example.completion) };
      const last = example.kind === "messages" ? example.messages.at(-1) : undefined;
      if (example.kind === "messages" && last?.role === "assistant" && example.messages.length > 1)
        return { prompt: example.messages.slice(0, -1), answer: last.content };
      throw new SparError(
        "data/columns",
        "expected a prompt and an answer: {prompt, completion}, or {messages} that end with the assistant's",
        {
          hint: "Texts without a prompt have no answer that could be told from the model's.",
        },
      );
    });
  });
}

/** Rows as they are, for files that a person may edit. */
export async function loadPlainRows(specs: readonly DatasetSpec[], seed: number): Promise<Row[]> {
  return readDataset(specs, seed, (dataset) => eachRow(dataset, (row) => row));
}

function readAnswer(completion: Content): string {
  return typeof completion === "string" ? completion : completion.map(({ content }) => content).join("\n");
}

async function readDataset<T>(specs: readonly DatasetSpec[], seed: number, read: (dataset: Dataset) => Promise<T[]>): Promise<T[]> {
  const dataset = await loadDataset(specs, { seed });
  try {
    if (dataset.count === 0) throw new SparError("data/empty", `reading ${dataset.tasks.join(", ")}: no rows`);
    return await read(dataset);
  } finally {
    await dataset.close();
  }
}

async function eachRow<T>(dataset: Dataset, convert: (row: Row) => T): Promise<T[]> {
  const rows: T[] = [];
  const problems: string[] = [];
  for (let i = 0; i < dataset.count; i++) {
    try {
      rows.push(convert(await dataset.read(i)));
    } catch (error) {
      problems.push(`  ${formatPlace(dataset.place(i))}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) {
    const more = problems.length > 20 ? [`  … and ${problems.length - 20} more`] : [];
    throw new SparError(
      "data/bad-rows",
      [`reading data: ${problems.length} of ${dataset.count} rows cannot be used`, ...problems.slice(0, 20), ...more].join("\n"),
    );
  }
  return rows;
}
