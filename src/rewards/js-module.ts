/** A reward that the user wrote in JavaScript. */
import { access } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SparError } from "../internal/errors.ts";
import { checkScores, type RewardFunction, type RewardRow } from "./reward.ts";

type UserFunction = (rows: readonly RewardRow[]) => unknown;

/** Loads `path` (relative to `folder`): its default export gets the rows and gives a score each, or a promise of them. */
export async function loadModuleReward(path: string, folder: string): Promise<RewardFunction> {
  const file = resolve(folder, path);
  const hint = "A reward module looks like: export default (rows) => rows.map((row) => row.completion.length)";
  await access(file).catch((cause: unknown) => {
    throw new SparError("rewards/module-missing", `Loading the reward ${path}: there is no file ${file}`, { hint, cause });
  });
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (cause) {
    throw new SparError("rewards/module-invalid", `Loading the reward ${path}: ${(cause as Error).message}`, { cause });
  }
  const score = loaded.default;
  if (typeof score !== "function") {
    const names = Object.keys(loaded).filter((name) => name !== "default");
    const got =
      score === undefined
        ? `no default export${names.length > 0 ? ` (only ${names.join(", ")})` : ""}`
        : `a default export of type ${typeof score}`;
    throw new SparError("rewards/module-invalid", `Loading the reward ${path}: expected a function as default export, got ${got}`, {
      hint,
    });
  }
  return {
    name: basename(file, extname(file)),
    async score(rows) {
      let scores: unknown;
      try {
        scores = await (score as UserFunction)(rows);
      } catch (cause) {
        throw new SparError(
          "rewards/module-failed",
          `The reward ${path} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        );
      }
      return checkScores(scores, rows.length, `The reward ${path}`);
    },
  };
}
