/** A real browser, and a real server for it. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** SPAR_CHROMIUM names another one. */
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function launchBrowser({ args: more = [] }: { readonly args?: readonly string[] } = {}): Promise<Browser> {
  const executablePath = process.env["SPAR_CHROMIUM"] ?? places.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error(`no Chromium: looked for ${places.join(", ")}; SPAR_CHROMIUM may name one`);
  const args = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...more,
  ];
  return chromium.launch({ executablePath, args });
}

export interface StartedUI {
  /** With the token: what a person opens. */
  readonly url: string;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  /** The server's own process, for those who end it otherwise. */
  readonly process: ChildProcess;
  /** What it wrote to standard error so far. */
  readonly notes: () => string;
  close(): Promise<void>;
}

export interface StartUIOptions {
  /** Further words of the command line, such as `--data FILE`. */
  readonly args?: readonly string[];
  /** Default `ui`. */
  readonly command?: string;
  /** Where it is started; default the repository. */
  readonly cwd?: string;
  /** 0, a free one, by default. */
  readonly port?: number;
}

/** Starts the built command and waits until it listens. */
export async function startUI({ args = [], command = "ui", cwd = root, port = 0 }: StartUIOptions = {}): Promise<StartedUI> {
  const words = [`${root}/dist/cli/main.js`, command, "--port", String(port), "--no-open", "--json", ...args];
  const child = spawn(process.execPath, words, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let notes = "";
  child.stderr.on("data", (chunk: Buffer) => (notes += chunk.toString("utf8")));
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`spar ${command} ended with ${code}: ${notes}`)));
  });
  const { url, origin, token, port: found } = JSON.parse(line) as { url: string; origin: string; token: string; port: number };
  return {
    url,
    origin,
    token,
    port: found,
    process: child,
    notes: () => notes,
    async close() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Errors that nobody caught, and what the page's console says at these levels; the list grows. */
export function watchProblems(page: Page, levels: readonly string[] = ["error"]): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (levels.includes(message.type())) problems.push(message.text());
  });
  return problems;
}

/** What axe finds wrong, as lines; empty: nothing. Once what moves has come to rest: half faded in, every text is too pale. */
export async function listViolations(page: Page): Promise<string[]> {
  await page.evaluate(`
    Promise.allSettled(
      document
        .getAnimations()
        .filter(({ playState, effect }) => playState === "running" && effect?.getComputedTiming().endTime !== Infinity)
        .map(({ finished }) => finished),
    ).then(() => undefined)
  `);
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help} at ${target.join(" ")} (${failureSummary})`),
  );
}
