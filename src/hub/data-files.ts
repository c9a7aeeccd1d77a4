import { SparError } from "../internal/errors.ts";

/** Splits of one config: the repository's files that belong to each, in order; none where the card names files that are not there. */
export type DataFiles = { config: string; splits: Map<string, string[]> };

export type CardConfig = {
  name: string;
  isDefault: boolean;
  patterns: { split: string; globs: string[] }[] | undefined;
  dataDir: string | undefined;
};

const DATA = /\.(jsonl|json|ndjson|csv|tsv|parquet|txt|text)(\.gz)?$/i;
const NOT_DATA =
  /(^|\/)(dataset_infos?|dataset_dict|state|config|tokenizer(_config)?|package)\.json$|(^|\/)(requirements|license|licence|readme)\.txt$|(^|\/)[._]/i;
const KEYWORDS: [split: string, words: string][] = [
  ["train", "train|training"],
  ["validation", "validation|valid|dev|val"],
  ["test", "test|testing|eval|evaluation"],
];

/** Reads `configs:` of a dataset card's front matter, already parsed from YAML. */
export function parseCardConfigs(card: unknown): CardConfig[] {
  const configs = isRecord(card) && Array.isArray(card.configs) ? (card.configs as unknown[]) : [];
  return configs.filter(isRecord).map((config) => {
    const dataDir = typeof config.data_dir === "string" ? config.data_dir.replace(/^\.?\/|\/$/g, "") : undefined;
    const patterns = parsePatterns(config.data_files);
    return { name: String(config.config_name ?? "default"), isDefault: config.default === true, patterns, dataDir };
  });
}

function parsePatterns(value: unknown): CardConfig["patterns"] {
  if (value === undefined || value === null) return undefined;
  const toGlobs = (globs: unknown): string[] => (Array.isArray(globs) ? globs.map(String) : [String(globs)]);
  const entries = Array.isArray(value) ? (value as unknown[]) : [value];
  if (entries.every(isRecord)) {
    // Either [{split, path}, …] or {split: path, …}.
    if (Array.isArray(value)) return entries.map((entry) => ({ split: String(entry.split ?? "train"), globs: toGlobs(entry.path) }));
    return Object.entries(entries[0]!).map(([split, globs]) => ({ split, globs: toGlobs(globs) }));
  }
  return [{ split: "train", globs: toGlobs(value) }];
}

/**
 * Which files make up a config of a dataset repository: what its card's `configs:` says, else the naming conventions
 * of Hugging Face's datasets library (train/validation/test in file or folder names, else everything is train).
 * @param paths all files of the repository; @param name for messages
 */
export function findDataFiles(
  paths: readonly string[],
  configs: readonly CardConfig[],
  config: string | undefined,
  name: string,
): DataFiles {
  const data = paths.filter((path) => DATA.test(path) && !NOT_DATA.test(path)).sort();
  if (configs.length === 0) {
    // Without a card, a config can only be a folder.
    const inside = config === undefined || config === "default" ? data : data.filter((path) => path.startsWith(`${config}/`));
    if (inside.length === 0)
      throw refuseData(
        name,
        config === undefined
          ? "it has no data files that can be read (jsonl, json, csv, tsv, parquet, txt)"
          : `it has no config "${config}"`,
        paths,
      );
    return { config: config ?? "default", splits: inferSplits(inside, config === undefined || config === "default" ? "" : `${config}/`) };
  }
  const chosen = chooseConfig(configs, config, name);
  const prefix = chosen.dataDir ? `${chosen.dataDir}/` : "";
  const splits = new Map<string, string[]>();
  if (chosen.patterns) {
    for (const { split, globs } of chosen.patterns) {
      const matchers = globs.map((glob) => createPathGlob(prefix + glob.replace(/^\.?\//, "")));
      const found = paths.filter((path) => DATA.test(path) && matchers.some((matcher) => matcher.test(path))).sort();
      splits.set(split, [...(splits.get(split) ?? []), ...found]);
    }
    return { config: chosen.name, splits };
  }
  const inside = data.filter((path) => path.startsWith(prefix));
  if (inside.length === 0) throw refuseData(name, `config "${chosen.name}" has no data files that can be read`, paths);
  return { config: chosen.name, splits: inferSplits(inside, prefix) };
}

function chooseConfig(configs: readonly CardConfig[], config: string | undefined, name: string): CardConfig {
  const names = configs.map((item) => item.name).join(", ");
  const chosen =
    config === undefined
      ? (configs.find((item) => item.isDefault) ??
        configs.find((item) => item.name === "default") ??
        (configs.length === 1 ? configs[0] : undefined))
      : configs.find((item) => item.name === config);
  if (chosen) return chosen;
  throw new SparError(
    "hub/no-config",
    `Loading the dataset ${name}: ${config === undefined ? "it has several configs, and none is the default" : `it has no config "${config}"`}; expected one of ${names}.`,
    {
      hint: "Set dataset_config.",
    },
  );
}

/** Splits by the words in folder names, then in file names; a word counts only between characters that are no letters. */
function inferSplits(paths: readonly string[], prefix: string): Map<string, string[]> {
  const sharded = new Map<string, string[]>();
  for (const path of paths) {
    const match = /^(?:data\/)?([\w.]+)-\d{5}-of-\d{5}[^/]*$/.exec(path.slice(prefix.length));
    if (match) sharded.set(match[1]!, [...(sharded.get(match[1]!) ?? []), path]);
  }
  if (sharded.size > 0) return sharded;
  const describe = [(path: string) => path.split("/").slice(0, -1).join("/"), (path: string) => path.split("/").at(-1)!];
  for (const part of describe) {
    const splits = new Map<string, string[]>();
    for (const [split, words] of KEYWORDS) {
      const found = paths.filter((path) => new RegExp(`(^|[^a-z])(${words})([^a-z]|$)`, "i").test(part(path.slice(prefix.length))));
      if (found.length > 0) splits.set(split, found);
    }
    if (splits.size > 0) return splits;
  }
  return new Map([["train", [...paths]]]);
}

/** `*` within a name, `**` over folders, `?`, `[…]` and `{a,b}`. */
function createPathGlob(glob: string): RegExp {
  const body = glob.replace(/\*\*\/|\*\*|\*|\?|\[!?[^\]]+\]|\{[^}]+\}|[\\^$.+()|{}[\]]/g, (piece) => {
    if (piece === "**/") return "(?:.*/)?";
    if (piece === "**") return ".*";
    if (piece === "*") return "[^/]*";
    if (piece === "?") return "[^/]";
    if (piece.length > 2 && piece.startsWith("[")) return piece.replace(/^\[!/, "[^");
    if (piece.length > 2 && piece.startsWith("{"))
      return `(?:${piece
        .slice(1, -1)
        .split(",")
        .map((word) => word.replace(/[\\^$.+()|[\]]/g, "\\$&").replaceAll("*", "[^/]*"))
        .join("|")})`;
    return `\\${piece}`;
  });
  return new RegExp(`^${body}$`);
}

export function refuseData(name: string, reason: string, paths: readonly string[]): SparError {
  const shown = paths.slice(0, 8).join(", ");
  return new SparError("hub/no-data", `Loading the dataset ${name}: ${reason}.`, {
    hint: `The repository holds ${paths.length} files: ${shown}${paths.length > 8 ? ", …" : ""}.`,
  });
}

function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
