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
