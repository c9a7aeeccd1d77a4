/** A hundred pairs by keyboard: from the key press until the next pair is painted, measured in the page. */
import { cpus, loadavg } from "node:os";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "./chromium.ts";
import { makePairs, startLabelServer, waitUntilSaved, type LabelServer } from "./label-room.ts";

declare global {
  interface Window {
    paints: { readonly milliseconds: number; readonly isAnother: boolean }[];
  }
}

const count = 100;
let browser: Browser;
let server: LabelServer;

beforeAll(async () => {
  browser = await launchBrowser();
  server = await startLabelServer(makePairs(rounds * count + 1));
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** A round that was held up by other programs says nothing about the page; one that was not says what it can. */
const rounds = 3;

test("100 pairs are labelled by keyboard without a wait", async () => {
  const page = await server.open(browser, "Ada");
  await page.evaluate(() => {
    window.paints = [];
    const current = (): string => document.querySelector<HTMLElement>(".label-stage")?.dataset["task"] ?? "none";
    addEventListener(
      "keydown",
      (event) => {
        if (event.key === "Shift") return;
        const before = current();
        // A frame begins with its callbacks; a message that was sent in them comes after the frame was painted.
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.addEventListener("message", () =>
            window.paints.push({ milliseconds: performance.now() - event.timeStamp, isAnother: current() !== before }),
          );
          port1.start();
          port2.postMessage(null);
        });
      },
      { capture: true },
    );
  });
  const figures: number[] = [];
  for (let round = 1; round <= rounds && !(Math.min(...figures) <= 50); round++) figures.push(await labelRound(page, round));
  expect(Math.min(...figures)).toBeLessThanOrEqual(50);
  const labels = server.readLabels();
  expect(labels).toHaveLength(figures.length * count);
  expect(new Set(labels.map(({ task }) => task)).size).toBe(labels.length);
});

/** The 95th percentile, in milliseconds. */
async function labelRound(page: Page, round: number): Promise<number> {
  await page.evaluate(() => (window.paints = []));
  const keys = ["1", "2", "3", "ArrowLeft", "ArrowRight", "0", "Shift+2"];
  for (let i = 0; i < count; i++) {
    await page.keyboard.press(keys[i % keys.length]);
    await page.waitForFunction((painted) => window.paints.length >= painted, i + 1, { polling: 5 });
    // Faster than anybody reads; not as fast as a machine presses, which would measure how keys queue.
    await page.waitForTimeout(100);
  }
  await waitUntilSaved(page);
  const paints = await page.evaluate(() => window.paints);
  expect(paints).toHaveLength(count);
  expect(paints.filter(({ isAnother }) => !isAnother)).toEqual([]);
  const times = paints.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.ceil(share * times.length) - 1];
  const text = `p50 ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms, longest ${at(1).toFixed(1)} ms`;
  const load = (loadavg()[0] / cpus().length).toFixed(1);
  // oxlint-disable-next-line no-console -- the figure is what this test is for
  console.log(`round ${String(round)}, key press → next pair painted, ${String(count)} pairs: ${text} (load ${load} a core)`);
  return at(0.95);
}
