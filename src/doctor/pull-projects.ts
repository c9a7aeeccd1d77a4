/** Live Label Studio projects that a recipe trains on: pulled to look at them, as the run pulls them into its own folder. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveStudioDatasets, type ResolvedRecipe } from "../recipes/index.ts";

export interface PulledProjects {
  /** With files in the place of projects. */
  readonly recipe: ResolvedRecipe;
  /** Removes the files. */
  release(): Promise<void>;
}

export interface PullProjectsOptions {
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** Throws what the training would throw; nothing is pulled for a recipe of files. */
export async function pullProjects(recipe: ResolvedRecipe, { token, signal }: PullProjectsOptions): Promise<PulledProjects> {
  const folder = await mkdtemp(join(tmpdir(), "spar-doctor-"));
  const release = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const tracker = { metrics() {}, samples() {}, event() {}, progress() {}, async close() {} };
  const { output_dir } = recipe.config;
  const aside = { ...recipe, config: { ...recipe.config, output_dir: folder } } as ResolvedRecipe;
  try {
    const pulled = await resolveStudioDatasets(aside, { token, resume: false, tracker, signal });
    return { recipe: { ...pulled, config: { ...pulled.config, output_dir } } as ResolvedRecipe, release };
  } catch (error) {
    await release();
    throw error;
  }
}
