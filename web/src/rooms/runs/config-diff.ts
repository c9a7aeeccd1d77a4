/** Two configs beside each other. */
export interface ConfigRow {
  readonly key: string;
  /** As JSON; undefined: the key is not there. */
  readonly here: string | undefined;
  readonly there: string | undefined;
}

type Values = { readonly [key: string]: unknown };

/** Paths and names of the run itself differ always. */
const own = new Set(["output_dir", "run_name", "resume_from_checkpoint", "overwrite_output_dir"]);

export function formatValue(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function diffConfigs(here: Values, there: Values): { differing: ConfigRow[]; own: ConfigRow[] } {
  const keys = [...new Set([...Object.keys(here), ...Object.keys(there)])].sort();
  const rows = keys
    .map((key) => ({
      key,
      here: Object.hasOwn(here, key) ? formatValue(here[key]) : undefined,
      there: Object.hasOwn(there, key) ? formatValue(there[key]) : undefined,
    }))
    .filter((row) => row.here !== row.there);
  return { differing: rows.filter(({ key }) => !own.has(key)), own: rows.filter(({ key }) => own.has(key)) };
}
