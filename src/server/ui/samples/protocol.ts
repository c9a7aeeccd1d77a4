/**
 * What the page "Samples & compare" and the server say to each other, below `/api/samples`.
 *
 *   GET  /sources               → Source[]            newest first
 *   POST /grid                  GridRequest → Grid
 *   POST /generate              GenerateRequest → server-sent events, each a GenerateEvent; leaving ends it, what is done is kept
 *   POST /heat                  HeatRequest → HeatAnswer
 *   POST /blind                 BlindRequest → BlindAnswer        a project for the Label room
 *   GET  /blind                 → BlindResult[]                   newest first
 */
import type { Sampling } from "../chat/protocol.ts";

/** `run`: a run's samples.jsonl; `eval`: of spar eval; `file`: JSON lines of completions or candidates. */
export type SourceKind = "run" | "quickstart" | "eval" | "generated" | "file";

export interface Source {
  readonly id: string;
  /** Its path below the workspace. */
  readonly name: string;
  readonly kind: SourceKind;
  readonly columns: readonly SourceColumn[];
  /** Ids of the one or two columns that are shown before anybody has chosen: two only where they share prompts. */
  readonly first: readonly string[];
  /** ISO 8601. */
  readonly modified: string;
}

export interface SourceColumn {
  /** Unique among all sources. */
  readonly id: string;
  /** `before`, `step 40`, a model's name. */
  readonly name: string;
  readonly rows: number;
  /** Keys of `scores`. */
  readonly scores: readonly string[];
}

export interface ChatText {
  readonly role: string;
  readonly content: string;
}

export type SamplePrompt = string | readonly ChatText[];

export interface GridRequest {
  /** Ids of columns, 1 to 8. */
  readonly columns: readonly string[];
  /** Only rows whose prompt or texts hold this, letter case aside. */
  readonly search?: string;
  /** `all` rows; those that `every` column has; those whose texts `differ`. */
  readonly only?: "all" | "every" | "differ";
  readonly sort?: GridSort;
  readonly offset?: number;
  /** At most 200; default 50. */
  readonly limit?: number;
}

export interface GridSort {
  /** `file`: as they stand; `length` in characters; or a key of `scores`; `prompt`. */
  readonly by: string;
  /** For length and scores: of which column; `difference` of the last less the first. */
  readonly column?: string;
  readonly descending?: boolean;
}

export interface Grid {
  readonly columns: readonly (SourceColumn & { readonly source: string; readonly summary: ColumnSummary })[];
  readonly rows: readonly GridRow[];
  /** Rows that fit the filter. */
  readonly total: number;
}

/** Of the rows that fit the filter. */
export interface ColumnSummary {
  readonly rows: number;
  /** Characters. */
  readonly meanLength: number | null;
  readonly meanScores: { readonly [name: string]: number };
}

export interface GridRow {
  readonly key: string;
  readonly prompt: SamplePrompt;
  /** In the order of the columns; null: no text for this prompt. */
  readonly cells: readonly (GridCell | null)[];
}

export interface GridCell {
  readonly text: string;
  readonly scores: { readonly [name: string]: number };
}

export interface GenerateRequest {
  /** ModelEntry ids of language models, 1 to 4. */
  readonly models: readonly string[];
  /** 1 to 64. */
  readonly prompts: readonly string[];
  /** Completions of each prompt, at most 8. */
  readonly n?: number;
  readonly sampling: Partial<Sampling>;
  readonly seed: number;
}

export type GenerateEvent =
  | { readonly type: "loading"; readonly model: string }
  /** Text that goes on in a cell. */
  | { readonly type: "text"; readonly model: string; readonly row: number; readonly text: string }
  | { readonly type: "cell"; readonly model: string; readonly row: number; readonly text: string; readonly finishReason: "stop" | "length" }
  /** One model failed, the others go on. */
  | { readonly type: "failed"; readonly model: string; readonly code: string; readonly message: string }
  /** Columns of the new source; null where nothing was made. */
  | { readonly type: "end"; readonly source: Source | null }
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly hint?: string };

export interface HeatRequest {
  /** ModelEntry id of a reward model. */
  readonly model: string;
  /** At most 64. */
  readonly items: readonly { readonly prompt: SamplePrompt; readonly text: string }[];
}

export interface HeatAnswer {
  readonly model: string;
  readonly items: readonly (Heat | { readonly error: string })[];
}

/** The reward model's score of the text as far as each token, as if the text ended there. */
export interface Heat {
  /** Of prompt and text whole, closed by the end token: the reward that training sees. */
  readonly score: number;
  /** Of the prompt alone; null where it has no tokens. */
  readonly before: number | null;
  readonly tokens: readonly HeatToken[];
}

export interface HeatToken {
  readonly text: string;
  /** Score of the text up to and including this token. */
  readonly score: number;
  /** The end token, which the scores above are closed with. */
  readonly ends: boolean;
}

export interface BlindRequest {
  /** Ids of two columns. */
  readonly columns: readonly [string, string];
  /** Pairs at most; default: all prompts that both have, where the texts differ. */
  readonly count?: number;
  readonly seed?: number;
}

export interface BlindAnswer {
  /** For the Label room: `#/label/ID`. */
  readonly project: string;
  readonly tasks: number;
  /** Prompts that were left out since both texts are the same. */
  readonly same: number;
}

export interface BlindResult {
  readonly project: string;
  /** ISO 8601. */
  readonly made: string;
  readonly tasks: number;
  readonly labels: number;
  /** Tasks with at least one label that counts. */
  readonly judged: number;
  /** Null until a label exists: names are told only after that. */
  readonly models: readonly BlindSide[] | null;
  readonly ties: number;
  /** Neither was good; a tie in the rates. */
  readonly bothBad: number;
}

export interface BlindSide {
  readonly name: string;
  readonly wins: number;
  /** (wins + ties ÷ 2) ÷ judged. */
  readonly winRate: number | null;
  /** 95 %, Wilson's, of tasks; a tie is half a win. */
  readonly interval: readonly [low: number, high: number] | null;
}
