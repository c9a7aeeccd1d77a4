import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { findDataFiles, parseCardConfigs, refuseData } from "./data-files.ts";
import { parseRepo, type ResolveOptions } from "./resolve-model.ts";
import { readHubSettings } from "./settings.ts";
import { openSnapshot } from "./snapshot.ts";

export type ResolvedDataset = {
  config: string;
  split: string;
  /** Every split of the config. */
  splits: string[];
  /** Absolute paths of the split's files, in order. */
  files: string[];
  folder: string;
};

/**
 * Downloads one split of a dataset repository: the card's `configs:` where it has them, else file names.
 * @param options.config absent: the card's default
 * @param options.split absent: train
 */
export async function resolveDataset(
  id: string,
  options: ResolveOptions & { config?: string; split?: string } = {},
): Promise<ResolvedDataset> {
  const repo = parseRepo("dataset", id, options.revision);
  const snapshot = await openSnapshot(repo, options.settings ?? (await readHubSettings()));
  let card: unknown;
  if (snapshot.paths.includes("README.md")) {
    await snapshot.download(["README.md"]);
    card = await parseCard(await readFile(join(snapshot.folder, "README.md"), "utf8"), repo.id);
  }
  const { config, splits } = findDataFiles(snapshot.paths, parseCardConfigs(card), options.config, repo.id);
  const split = options.split ?? "train";
  const paths = splits.get(split);
  if (!paths)
    throw new SparError(
      "hub/no-split",
      `Loading the dataset ${repo.id}: config "${config}" has no split "${split}"; expected one of ${[...splits.keys()].join(", ")}.`,
      {
        hint: "Set dataset_train_split or dataset_test_split.",
      },
    );
  if (paths.length === 0)
    throw refuseData(
      repo.id,
      `the files that its card names for split "${split}" of config "${config}" are not there, or not of a kind that can be read`,
      snapshot.paths,
    );
  await snapshot.download(paths, options.onProgress);
  return {
    config,
    split,
    splits: [...splits.keys()],
    files: paths.map((path) => join(snapshot.folder, ...path.split("/"))),
    folder: snapshot.folder,
  };
}

async function parseCard(text: string, id: string): Promise<unknown> {
  const front = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1];
  if (front === undefined) return undefined;
  const { parse } = await import("yaml");
  try {
    return parse(front, { logLevel: "silent" }) as unknown;
  } catch (cause) {
    throw new SparError("hub/bad-card", `Loading the dataset ${id}: the YAML at the top of its README.md is not valid.`, {
      hint: "Tell the dataset's owner, or download its files and use data_files.",
      cause,
    });
  }
}
