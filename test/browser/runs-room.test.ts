/** The runs room with a run that the built command makes while the page looks: list, growing curves, control, and all tabs. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, listViolations, startUI, watchProblems, type StartedUI } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const screenshots = process.env["SPAR_SCREENSHOTS"];
let folder: string;
let ui: StartedUI;
let browser: Browser;
let page: Page;
let training: ChildProcess | undefined;
let problems: string[];

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** A finished run of PPO, whose KL went too far. */
function writeFinishedRun(): void {
  const at = join(folder, "runs", "ppo");
  mkdirSync(at, { recursive: true });
  const started = "2026-01-02T10:00:00.000Z";
  const record = { schema_version: 1, id: "ppo-1", method: "ppo", status: "finished", pid: 1, parent: null, spar: "0.1.0", error: null };
  writeFileSync(join(at, "run.json"), JSON.stringify({ ...record, started, ended: "2026-01-02T10:05:00.000Z" }));
  writeFileSync(join(at, "config.yaml"), "learning_rate: 0.0005\nkl_coef: 0.05\ntotal_episodes: 6400\noutput_dir: runs/ppo\n");
  const rows = Array.from({ length: 100 }, (_, i) => ({
    step: i + 1,
    epoch: (i + 1) / 10,
    "objective/scores": 2 - 2 * Math.exp(-i / 30) + 0.2 * Math.sin(i * 7),
    "objective/kl": 0.4 * i + Math.sin(i * 3),
    "policy/entropy_avg": 3 - i / 60,
    "val/ratio": 1,
    episode: 64 * (i + 1),
    // A name that every object has something under.
    constructor: i,
  }));
  writeFileSync(join(at, "metrics.jsonl"), lines(rows));
  const samples = [1, 50, 100].flatMap((step) =>
    ["the film", "the <b>play</b>"].map((prompt, i) => ({
      step,
      prompt,
      completion: step === 1 ? "is a dull thing" : `is a bright thing, ${String(step)}`,
      scores: { reward: step / 50 + i },
    })),
  );
  writeFileSync(join(at, "samples.jsonl"), lines(samples));
  const event = { time: started, level: "warning", code: "rewards/unscored", message: "no reward gave a score to 2 of the 64 completions" };
  writeFileSync(join(at, "events.jsonl"), lines([event]));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-runs-room-"));
  mkdirSync(join(folder, "runs"));
  ui = await startUI({ cwd: folder });
  browser = await launchBrowser();
  page = await (await browser.newContext({ viewport: { width: 1600, height: 1000 } })).newPage();
  problems = watchProblems(page);
  await page.goto(ui.url);
  await page.getByRole("link", { name: "Runs" }).click();
});

afterAll(async () => {
  if (training !== undefined && training.exitCode === null && training.signalCode === null) training.kill("SIGKILL");
  await browser?.close();
  await ui?.close();
  rmSync(folder, { recursive: true, force: true });
});

const chart = (name: string) => page.getByRole("region", { name, exact: true });
/** What the numbers' table of a chart holds, or the points that the chart has been given. */
async function countNumbers(name: string): Promise<number> {
  const region = chart(name);
  await region.getByRole("button", { name: "Show the numbers" }).click();
  const rows = await region.getByRole("row").count();
  await region.getByRole("button", { name: "Show the chart" }).click();
  return rows - 1;
}

test("an empty room says what to run first", async () => {
  await page.getByRole("heading", { name: "No runs yet" }).waitFor();
  expect(await page.locator(".command code").allTextContents()).toEqual(["spar quickstart", "spar sft --config recipes/tiny/sft.yaml"]);
  expect(await listViolations(page)).toEqual([]);
});

test("a run appears by itself, and its curves grow while the page looks", async () => {
  const args = ["sft", "--config", "recipes/tiny/sft.yaml", "--output_dir", join(folder, "runs", "tiny"), "--num_train_epochs", "400"];
  training = spawn(process.execPath, [join(root, "dist/cli/main.js"), ...args, "--logging_steps", "1", "--eval_strategy", "no"], {
    cwd: root,
    stdio: "ignore",
  });
  await page.getByRole("link", { name: "runs/tiny" }).click();
  await chart("Loss").locator("canvas").waitFor();
  const early = await countNumbers("Loss");
  const step = page.locator(".run-facts dd").nth(1);
  const before = Number.parseInt(await step.innerText(), 10);
  await expect.poll(() => countNumbers("Loss"), { timeout: 60_000, interval: 1500 }).toBeGreaterThan(early + 5);
  expect(Number.parseInt(await step.innerText(), 10)).toBeGreaterThan(before + 4);
  expect(await step.innerText()).toMatch(/ of 7,?200$/);
});

test("pause, resume, save and stop reach the run", async () => {
  const badge = page.locator(".run-title .badge");
  await page.getByRole("button", { name: "Pause" }).click();
  await expect.poll(() => badge.innerText()).toBe("paused");
  expect(await page.getByRole("button", { name: "Save now" }).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Resume" }).click();
  await expect.poll(() => badge.innerText()).toBe("running");
  await page.getByRole("button", { name: "Save now" }).click();
  const checkpoints = (): string[] => readdirSync(join(folder, "runs", "tiny")).filter((name) => /^checkpoint-\d+$/.test(name));
  await expect.poll(() => checkpoints().length, { timeout: 30_000 }).toBe(1);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByRole("dialog").getByText("saves a checkpoint").waitFor();
  expect(await listViolations(page)).toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  const [around, close] = await Promise.all(
    [page.locator(".dialog-head"), page.getByRole("button", { name: "Close" })].map((part) => part.boundingBox()),
  );
  expect(close!.width).toBeLessThan(60);
  expect(around!.x + around!.width - close!.x - close!.width).toBeLessThan(40);
  await page.setViewportSize({ width: 1600, height: 1000 });
  await page.getByRole("button", { name: "Let it run" }).click();
  expect(existsSync(join(folder, "runs", "tiny", "control"))).toBe(false);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByRole("button", { name: "Stop the run" }).click();
  await expect.poll(() => badge.innerText(), { timeout: 30_000 }).toBe("stopped");
  expect(await page.getByRole("group", { name: "Control the run" }).count()).toBe(0);
});

test("time and tokens as axis; the system tab has what the run cost", async () => {
  await page.getByRole("radio", { name: "Time" }).check();
  await expect.poll(() => page.locator(".chart canvas").count()).toBeGreaterThan(3);
  await page.getByRole("radio", { name: "Tokens" }).check();
  await page.getByRole("radio", { name: "Step" }).check();
  await page.getByRole("tab", { name: "System" }).click();
  for (const name of ["Processor", "Memory", "Tokens a second"]) await chart(name).locator("canvas").waitFor();
  expect(await listViolations(page)).toEqual([]);
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByText("run/stopped").waitFor();
  await page.getByText("The same command with --resume goes on.").waitFor();
});

test("charts share the cursor and the zoom, by mouse and by keyboard", async () => {
  writeFinishedRun();
  await page.goto(`${ui.origin}/#/runs/ppo-1`);
  const score = chart("Score").locator(".chart-plot");
  await score.locator("canvas").waitFor();
  const place = (name: string): Promise<string> => chart(name).locator(".chart-place").innerText();
  const box = (await score.boundingBox())!;
  const over = (share: number): Promise<void> => page.mouse.move(box.x + 60 + (box.width - 80) * share, box.y + 60);
  await over(0.5);
  await expect.poll(() => place("Score")).toMatch(/^Step (4|5)\d$/);
  expect(await place("KL to the reference")).toBe(await place("Score"));
  expect(await chart("Score").locator(".chart-smooth").innerText()).toMatch(/\d/);

  await over(0.2);
  await page.mouse.down();
  await over(0.4);
  await page.mouse.up();
  await page.getByRole("button", { name: "Show all" }).waitFor();
  await expect.poll(() => countNumbers("KL to the reference")).toBeLessThan(30);
  expect(await countNumbers("Score")).toBe(await countNumbers("KL to the reference"));
  await score.dblclick({ position: { x: 120, y: 60 } });
  await expect.poll(() => countNumbers("KL to the reference")).toBe(100);

  await score.focus();
  await page.keyboard.press("Home");
  await expect.poll(() => place("Score")).toBe("Step 1");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => place("KL to the reference")).toBe("Step 2");
  await page.keyboard.press("+");
  await page.getByRole("button", { name: "Show all" }).waitFor();
  await page.keyboard.press("0");
  await expect.poll(() => page.getByRole("button", { name: "Show all" }).count()).toBe(0);
});

test("the charts follow the theme", async () => {
  /** Whether some pixels of the chart have the very colour that the page has for its first line. */
  const isInColour = (): Promise<boolean> =>
    chart("Score")
      .locator("canvas")
      .evaluate((canvas: HTMLCanvasElement) => {
        const token = getComputedStyle(canvas).getPropertyValue("--series-1").trim();
        const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(token.slice(at, at + 2), 16));
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) {
          const isClose = [red, green, blue].every((value, channel) => Math.abs(data[i + channel]! - value!) < 4);
          if (isClose && data[i + 3]! > 250) return true;
        }
        return false;
      });
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset["theme"])).toBe(colorScheme);
    await expect.poll(isInColour).toBe(true);
  }
});

test("metrics are filtered by a regular expression, and several runs lie over each other", async () => {
  const filter = page.getByPlaceholder("Filter metrics");
  await filter.fill("kl|entropy");
  await expect.poll(() => page.locator(".chart h3").allTextContents()).toEqual(["KL to the reference", "Entropy"]);
  await filter.fill("[");
  await page.getByText("This is no regular expression").waitFor();
  await filter.fill("");
  await page.getByRole("link", { name: "Runs", exact: true }).last().click();
  await page.getByRole("checkbox", { name: "Compare runs/ppo" }).check();
  await page.getByRole("checkbox", { name: "Compare runs/tiny" }).check();
  await page.getByRole("button", { name: "Compare 2" }).click();
  await page.getByRole("heading", { name: "2 runs" }).waitFor();
  await chart("Entropy").locator("canvas").waitFor();
  expect(await chart("Entropy").locator(".chart-name").allTextContents()).toEqual(["ppo", "tiny"]);
  await page.getByRole("tab", { name: "Config" }).click();
  await page.getByText("keys differ").waitFor();
  const row = page.getByRole("row", { name: /^learning_rate/ });
  expect(await row.getByRole("cell").allTextContents()).toEqual(["0.0005", "0.001"]);
});

test("samples by step and text, and their difference to another step", async () => {
  await page.goto(`${ui.origin}/#/runs/ppo-1/samples`);
  const rows = page.locator(".sample-row");
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByText("the <b>play</b>").waitFor();
  await page.getByLabel("Difference to").first().selectOption({ label: "this run" });
  await expect.poll(() => rows.first().locator("ins").allTextContents()).toContain("bright");
  expect(await rows.first().locator("del").allTextContents()).toEqual(["dull"]);
  expect(await listViolations(page)).toEqual([]);
  await page.getByRole("combobox", { name: "Step" }).first().selectOption("all");
  await expect.poll(() => rows.count()).toBe(6);
  await page.getByPlaceholder("Text of prompt").fill("PLAY");
  await expect.poll(() => rows.count()).toBe(3);
  await page.getByLabel("Order").selectOption("best first");
  await expect.poll(() => rows.first().locator("td").first().innerText()).toBe("100");
});

test("a metric may have any name", async () => {
  await page.goto(`${ui.origin}/#/runs/ppo-1`);
  const chart = page.getByRole("region", { name: "constructor", exact: true });
  await chart.scrollIntoViewIfNeeded();
  await expect.poll(() => chart.locator(".chart-value").innerText()).toBe("99");
});

test("events are explained, and so is what stands in the curves", async () => {
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByText("The policy is far from its reference").waitFor();
  await page.getByText("nothing is learnt from them").waitFor();
});

const views = [
  { name: "light", width: 1600, height: 1000, colorScheme: "light" },
  { name: "dark", width: 1600, height: 1000, colorScheme: "dark" },
  { name: "narrow", width: 390, height: 844, colorScheme: "light" },
  { name: "narrow-dark", width: 390, height: 844, colorScheme: "dark" },
] as const;

test.each(views)("$name, $width pixels: nothing too wide, nothing that axe finds", async ({ name, width, height, colorScheme }) => {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const view = await context.newPage();
  await view.goto(ui.url);
  await view.getByRole("link", { name: "Runs" }).click();
  await view.getByRole("link", { name: "runs/ppo" }).waitFor();
  const found: string[] = [];
  for (const part of ["", "/ppo-1", "/ppo-1/samples", "/ppo-1/events", "/ppo-1/config"]) {
    await view.goto(`${ui.origin}/#/runs${part}`);
    await view
      .locator(
        { "": ".run-row", "/ppo-1": ".chart canvas", "/ppo-1/samples": ".sample-row", "/ppo-1/events": ".event" }[part] ?? ".config-key",
      )
      .first()
      .waitFor();
    found.push(...(await listViolations(view)).map((line) => `${part}: ${line}`));
    const excess = await view.evaluate(() =>
      Math.max(
        document.documentElement.scrollWidth - innerWidth,
        document.querySelector("main")!.scrollWidth - document.querySelector("main")!.clientWidth,
      ),
    );
    if (excess > 0) found.push(`${part}: ${String(excess)} pixels too wide`);
    if (screenshots !== undefined) {
      mkdirSync(screenshots, { recursive: true });
      await view.screenshot({ path: join(screenshots, `runs-${name}${part.replaceAll("/", "-")}.png`) });
    }
  }
  await context.close();
  expect(found).toEqual([]);
});

test("the page said nothing of errors", () => {
  expect(problems).toEqual([]);
});
