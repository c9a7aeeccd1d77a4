/** A folder with tasks, the server on it, and people at the page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { startUI, type StartedUI } from "./chromium.ts";

/** Fixed, so that a server that is started anew knows the browsers of the old one. */
const token = "labels-of-the-browser-tests";

export interface LabelServer {
  readonly folder: string;
  /** The one that runs now. */
  readonly ui: StartedUI;
  /** Rows of labels.jsonl. */
  readLabels(): StoredLabel[];
  /** Without a chance to clean up. */
  kill(): Promise<void>;
  /** On the same port, as people do it. */
  startAgain(): Promise<void>;
  /** A person at a browser of their own. */
  open(browser: Browser, name: string, options?: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

export interface StoredLabel {
  readonly id: string;
  readonly task: string;
  readonly annotator: string;
  readonly choice: string | null;
  readonly order: readonly number[];
  readonly strength?: number;
  readonly ranking?: readonly (readonly number[])[];
  readonly ratings?: readonly (number | null)[];
  readonly edit?: { readonly candidate: number; readonly text: string };
  readonly reasons?: readonly string[];
  readonly comment?: string;
  readonly milliseconds: number;
  readonly revises?: string;
  readonly undoes?: string;
}

export async function startLabelServer(rows: readonly object[], args: readonly string[] = []): Promise<LabelServer> {
  const folder = mkdtempSync(join(tmpdir(), "spar-label-"));
  writeFileSync(join(folder, "tasks.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const start = (port: number): Promise<StartedUI> =>
    startUI({ command: "label", cwd: folder, port, args: ["--data", "tasks.jsonl", "--token", token, ...args] });
  let ui = await start(0);
  return {
    folder,
    get ui() {
      return ui;
    },
    readLabels: () =>
      readFileSync(join(folder, "labels.jsonl"), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as StoredLabel),
    async kill() {
      const ended = new Promise((resolve) => ui.process.once("exit", resolve));
      ui.process.kill("SIGKILL");
      await ended;
    },
    async startAgain() {
      ui = await start(ui.port);
    },
    async open(browser, name, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      const page = await context.newPage();
      await page.goto(ui.url);
      await page.getByLabel("Your name").fill(name);
      await page.getByRole("button", { name: "Start labeling" }).click();
      await page.locator(".label-stage").waitFor();
      return page;
    },
    async close() {
      await ui.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of tasks of two answers: short ones, each of which says which task and which answer it is. */
export function makePairs(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `task-${String(i)}`,
    prompt: `Question ${String(i)}: why is the sky blue?`,
    answer1: `First answer to ${String(i)}: the air scatters short waves more.`,
    answer2: `Second answer to ${String(i)}: it is a reflection of the sea, as everybody knows.`,
  }));
}

/** The file's id of the task on the screen, from its prompt. */
export async function readTask(page: Page): Promise<string> {
  const text = await page.locator(".label-prompt-body").innerText();
  return `task-${/Question (\d+)/.exec(text)?.[1] ?? "?"}`;
}

/** Until everything that was said is on the server's disk, by the page's own word. */
export async function waitUntilSaved(page: Page): Promise<void> {
  await page.locator('.label-save[data-state="saved"]').waitFor({ timeout: 30_000 });
}
