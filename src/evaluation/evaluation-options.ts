/** What an evaluation is given, and what one side of it wrote. */
import type { GenerationSettings } from "../generation/index.ts";
import type { Judge } from "../rewards/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { ArithmeticQuestion } from "./gsm8k.ts";
import type { BenchQuestion } from "./mt-bench.ts";
import type { AskedPrompt, WriterSource, WrittenAnswer } from "./writer.ts";

export interface EvaluatedPrompt {
  readonly prompt: AskedPrompt;
  /** Further columns of the row, for rules and judges that read them. */
  readonly columns: { readonly [name: string]: unknown };
}

export interface EvaluationOptions {
  readonly model: WriterSource;
  readonly against?: WriterSource | undefined;
  readonly reference?: WriterSource | undefined;
  readonly prompts?: { readonly file: string; readonly rows: readonly EvaluatedPrompt[] } | undefined;
  /** Its name, and how it is opened once the models are done. */
  readonly judge?: { readonly name: string; readonly open: (backend: Backend) => Promise<Judge> } | undefined;
  readonly rewards?: readonly string[];
  /** Called with all answers before anything is scored or judged, so that they can be kept whatever becomes of that. */
  readonly onWritten?: ((answers: WrittenRows) => void | Promise<void>) | undefined;
  readonly gsm8k?:
    | { readonly file: string; readonly questions: readonly ArithmeticQuestion[]; readonly examples: readonly ArithmeticQuestion[] }
    | undefined;
  readonly mtBench?: { readonly file: string; readonly questions: readonly BenchQuestion[] } | undefined;
  readonly texts?: { readonly file: string; readonly texts: readonly string[] } | undefined;
  /** What the user set for the benchmarks too, over their own settings. */
  readonly asked: Partial<GenerationSettings>;
  readonly batchSize: number;
  readonly backend: Backend;
  readonly resolveModel?: (name: string) => Promise<string>;
  /** What relative paths of reward modules start from. */
  readonly folder: string;
  readonly version: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
}

/** All answers, as rows of files. */
export interface WrittenRows {
  readonly rows: readonly EvaluatedRow[];
  /** Of GSM8K: what was extracted from each answer, and whether it is right. */
  readonly gsm8k: readonly ArithmeticRow[];
  readonly mtBench: readonly BenchRow[];
}

/** Of `--prompts`, for samples.jsonl. */
export interface EvaluatedRow {
  readonly prompt: AskedPrompt;
  readonly model: string;
  readonly against?: string;
  readonly verdict?: "win" | "tie" | "lose" | null;
  readonly rewards?: readonly (number | null)[];
}

interface ArithmeticRow {
  readonly model: string;
  readonly question: string;
  readonly answer: number;
  readonly completion: string;
  readonly extracted: number | null;
  readonly right: boolean;
}

interface BenchRow {
  readonly model: string;
  readonly question_id: string;
  readonly category: string;
  readonly turns: readonly BenchTurnRow[];
}

interface BenchTurnRow {
  readonly user: string;
  readonly assistant: string;
  /** The judge's; null: void. */
  readonly score?: number | null;
  /** From this model's side, where the judge compares. */
  readonly verdict?: "win" | "tie" | "lose" | null;
}

/** What one side wrote. */
export interface Written {
  readonly source: WriterSource;
  readonly tokenizer: Tokenizer;
  readonly settings: GenerationSettings;
  readonly answers: readonly WrittenAnswer[];
  readonly arithmetic: readonly WrittenAnswer[];
  /** Of each question, its turns' answers. */
  readonly bench: readonly (readonly string[])[];
  readonly textPerplexity: { readonly value: number; readonly tokens: number } | undefined;
}
