/** The tests of a Markdown page: its links lead somewhere, and its commands and files work as they stand there. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HubServer, startHubServer } from "./fixtures/hub-server.ts";
import { findHubIds, isCovered, openScratchClone, parseMarkdownCommands, root, writePageFile } from "./markdown-commands.ts";

export interface PageOptions {
  /** Checks of what the commands left behind, given the scratch clone's folder, and of what each printed. */
  afterwards?: { readonly [title: string]: (folder: string, outputs: ReadonlyMap<string, string>) => void };
  /** Flags added to the commands that begin so: long trainings go the same way for fewer steps. */
  shorten?: { readonly [command: string]: string };
  /** Commands that begin so run until Ctrl-C, which comes as soon as they have printed this. */
  endless?: { readonly [command: string]: string };
  /** What people do while such a command runs, given what it has printed. */
  meanwhile?: { readonly [command: string]: (output: string) => Promise<void> };
  /** What people do before the commands that begin so. */
  before?: { readonly [command: string]: () => void };
  /** Texts of commands, and what stands for them in the test: a server's address. */
  replace?: { readonly [text: string]: string };
  /** Variables that the reader has set. */
  env?: { readonly [name: string]: string };
}

/** `name` is the page's path in the repository. */
export function describePage(
  name: string,
  { afterwards = {}, shorten = {}, endless = {}, meanwhile = {}, before = {}, replace = {}, env = {} }: PageOptions = {},
): void {
  const page = readFileSync(join(root, name), "utf8");
  const steps = parseMarkdownCommands(page);
  const find = <T>(table: { readonly [command: string]: T }, command: string): T | undefined =>
    Object.entries(table).find(([begin]) => command.startsWith(begin))?.[1];
  const shortened = (command: string): string => {
    const whole = Object.entries(replace).reduce((text, [from, to]) => text.replaceAll(from, to), command);
    const flags = find(shorten, command);
    return flags === undefined ? whole : `${whole} ${flags}`;
  };

  test(`${name}: what is shortened is there`, () => {
    const commands = steps.flatMap((step) => (step.kind === "file" ? [] : [step.command]));
    const named = [shorten, endless, meanwhile, before].flatMap((table) => Object.keys(table));
    expect(named.filter((begin) => !commands.some((command) => command.startsWith(begin)))).toEqual([]);
  });

  test(`${name}: links lead to files that exist`, () => {
    const links = [...page.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(1);
    expect(links.filter((link) => !existsSync(join(root, dirname(name), link)))).toEqual([]);
  });

  describe.skipIf(process.platform === "win32")(`${name}, command by command`, () => {
    let clone: ReturnType<typeof openScratchClone>;
    let hub: HubServer | undefined;
    const outputs = new Map<string, string>();
    beforeAll(async () => {
      // Every hub id of the page leads to a small model under that name, on a server that speaks the hub's protocol.
      const small = join(root, "test/fixtures/parity/models/stories260K");
      const ids = findHubIds(steps);
      if (ids.length > 0) hub = await startHubServer({ models: Object.fromEntries(ids.map((id) => [id, small])) });
      clone = openScratchClone(hub === undefined ? env : { ...env, HF_ENDPOINT: hub.url, HF_TOKEN: "", HF_HUB_OFFLINE: "" });
    });
    afterAll(async () => {
      clone.remove();
      await hub?.close();
    });

    for (const step of steps) {
      if (step.kind === "file") {
        test(`line ${step.line}: writes ${step.name}`, () => {
          writePageFile(clone.folder, step.name, step.content);
          expect(existsSync(join(clone.folder, step.name))).toBe(true);
        });
      } else if (step.coveredBy !== undefined) {
        const by = step.coveredBy;
        test(`line ${step.line}: ${by} runs: ${step.command}`, () => {
          expect(isCovered(step.command, by), `${by} must run this line of ${name}: ${step.command}`).toBe(true);
        });
      } else {
        test(`line ${step.line}: ${step.command}`, { timeout: 300_000 }, async () => {
          find(before, step.command)?.();
          const stopAt = find(endless, step.command);
          const { code, output } = await clone.run(shortened(step.command), 280_000, stopAt, find(meanwhile, step.command));
          expect(output).toContain(stopAt ?? "");
          expect(code, output.slice(-4000)).toBe(0);
          outputs.set(step.command, output);
        });
      }
    }
    for (const [title, check] of Object.entries(afterwards)) test(title, () => check(clone.folder, outputs));
  });
}

export type MetricsRow = { readonly [name: string]: number };

/** The rows of a run's metrics.jsonl. */
export function readMetrics(folder: string): MetricsRow[] {
  const text = readFileSync(join(folder, "metrics.jsonl"), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as MetricsRow);
}

/** The values of one metric in the order of the steps; rows without it are passed over. */
export function readCurve(folder: string, metric: string): number[] {
  return readMetrics(folder).flatMap((row) => (metric in row ? [row[metric] as number] : []));
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
