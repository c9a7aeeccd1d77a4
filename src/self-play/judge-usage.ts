/** What a judge behind a network used up, added up over all tries in judge-usage.json of the model's folder. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JudgeUsage } from "../rewards/index.ts";

/** The one that pairs are made by, or the one that only watches. */
export type JudgeRole = "judge" | "outside";

type Usages = { readonly [role in JudgeRole]?: JudgeUsage };

const pathOf = (folder: string): string => join(folder, "judge-usage.json");

/** Synchronous, since judges are released so: what a stage that fails has spent is spent all the same. */
export function addUsage(folder: string, role: JudgeRole, used: JudgeUsage): void {
  const earlier = readUsages(folder);
  const before = earlier[role];
  const sum = (name: Exclude<keyof JudgeUsage, "cost">): number => (before?.[name] ?? 0) + used[name];
  const total: JudgeUsage = {
    requests: sum("requests"),
    cached: sum("cached"),
    repeated: sum("repeated"),
    promptTokens: sum("promptTokens"),
    completionTokens: sum("completionTokens"),
    cost: used.cost === null && (before?.cost ?? null) === null ? null : (before?.cost ?? 0) + (used.cost ?? 0),
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(pathOf(folder), `${JSON.stringify({ ...earlier, [role]: total }, undefined, 2)}\n`);
}

/** Rows of metrics.jsonl; nothing where no judge was behind a network. */
export function describeUsage(folder: string): { [metric: string]: number } {
  return Object.fromEntries(
    Object.entries(readUsages(folder)).flatMap(([role, { requests, cached, promptTokens, completionTokens, cost }]) => [
      [`${role}/requests`, requests],
      [`${role}/cached`, cached],
      [`${role}/prompt_tokens`, promptTokens],
      [`${role}/completion_tokens`, completionTokens],
      ...(cost === null ? [] : [[`${role}/cost`, cost] as const]),
    ]),
  ) as { [metric: string]: number };
}

export function sayUsage({ requests, repeated, cached, promptTokens, completionTokens, cost }: JudgeUsage): string {
  const price = cost === null ? "" : `, cost ${cost.toFixed(4)}`;
  return `${requests} requests (${repeated} repeated), ${cached} answers from the cache, ${promptTokens} tokens read, ${completionTokens} written${price}`;
}

function readUsages(folder: string): Usages {
  try {
    return JSON.parse(readFileSync(pathOf(folder), "utf8")) as Usages;
  } catch {
    return {};
  }
}
