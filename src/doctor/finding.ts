/** One thing worth knowing about a recipe or a machine. */
import { SparError } from "../internal/errors.ts";
import type { RunEvent } from "../tracking/index.ts";

export interface Finding {
  /** Stable, `area/reason`; errors keep the code that the training would end with. */
  readonly code: string;
  /** `error`: the training would fail or be worthless; `warning`: probably not what was meant; `note`: good to know. */
  readonly level: "error" | "warning" | "note";
  readonly found: string;
  readonly why: string;
  readonly action: string;
}

/** What the training would stop with. Bugs are thrown on. */
export function findingOfError(error: unknown): Finding {
  if (!(error instanceof SparError)) throw error;
  return {
    code: error.code,
    level: "error",
    found: error.message,
    why: "the training ends with this error",
    action: error.hint ?? "correct what the message names",
  };
}

const meanings: { readonly [code: string]: { why: string; action: string } } = {
  "data/rows-dropped": {
    why: "the model learns nothing from rows that are left out",
    action: "raise max_length (max_prompt_length for prompts), or shorten these rows",
  },
  "data/rows-truncated": {
    why: "a row that is cut loses its end, the end token included: the model then learns not to stop",
    action: "raise max_length, or split long rows",
  },
  "data/prompt-boundary": {
    why: "the model is trained on another context than it will see when it generates",
    action: "end prompts without a trailing space, or use a chat template that renders both alike",
  },
  "data/no-eos": {
    why: "completions are learnt without an end, and generation does not stop by itself",
    action: "name an eos_token in tokenizer_config.json",
  },
};

/** Events of data preparation that need attention; undefined for the others. */
export function findingOfEvent(event: RunEvent): Finding | undefined {
  const meaning = meanings[event.code];
  return meaning === undefined ? undefined : { code: event.code, level: "warning", found: event.message, ...meaning };
}

/** A finding as one line. */
export function formatFinding({ code, level, found, why, action }: Finding): string {
  return `${level} [${code}] ${found.replaceAll(/\s*\n\s*/g, "; ")} — why: ${why}. Do: ${action.replace(/\.$/, "")}.`;
}
