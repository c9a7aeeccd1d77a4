/**
 * How long a run of a million points takes to open: read by the server for the first time and again, sent, and painted by a browser.
 *
 *   npm run build && node bench/runs-page.mjs [--points 1000000] [--keys 10] [--rounds 3]
 *
 * `load` is the machine's: other work of its own makes all times longer. Points are values of metrics, x aside: rows × keys. `--keys 1` makes one curve of a million rows. Needs Chromium (SPAR_CHROMIUM names one).
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { median } from "./measure.mjs";

const { values: args } = parseArgs({
  options: {
    points: { type: "string", default: "1000000" },
    keys: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
  },
});
const names = [
  "loss",
  "grad_norm",
  "learning_rate",
  "entropy",
  "mean_token_accuracy",
  "rewards/margins",
  "rewards/accuracies",
  "rewards/chosen",
  "rewards/rejected",
];
const keys = Array.from({ length: Number(args.keys) }, (_, i) => names[i] ?? `extra/metric_${i}`);
const rows = Math.round(Number(args.points) / keys.length);
const spike = { row: Math.floor(rows / 3), value: 1000 };

const folder = mkdtempSync(join(tmpdir(), "spar-runs-bench-"));
const run = join(folder, "runs", "large");
mkdirSync(run, { recursive: true });
const started = new Date(Date.now() - 3_600_000).toISOString();
const record = {
  schema_version: 1,
  id: "large",
  method: "sft",
  status: "finished",
  pid: 1,
  parent: null,
  started,
  ended: started,
  spar: "0",
  error: null,
};
writeFileSync(join(run, "run.json"), JSON.stringify(record));
writeFileSync(join(run, "config.yaml"), "num_train_epochs: 1\n");
const metrics = join(run, "metrics.jsonl");
const handle = openSync(metrics, "w");
let text = "";
for (let row = 0; row < rows; row++) {
  const values = keys.map((key, i) => [key, row === spike.row && i === 0 ? spike.value : Math.exp(-row / rows) + Math.random() * 0.1]);
  text += `${JSON.stringify({ step: row + 1, epoch: row / rows, ...Object.fromEntries(values) })}\n`;
  if (text.length > 1 << 20 || row === rows - 1) {
    writeSync(handle, text);
    text = "";
  }
}
closeSync(handle);

async function startServer() {
  const words = [join(import.meta.dirname, "../dist/cli/main.js"), "ui", "--port", "0", "--no-open", "--json"];
  const child = spawn(process.execPath, words, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
  return { child, ...JSON.parse(line) };
}

const stop = ({ child }) =>
  new Promise((resolve) => {
    child.on("exit", resolve);
    child.kill("SIGTERM");
  });

const time = async (work) => {
  const began = performance.now();
  const result = await work();
  return { result, milliseconds: performance.now() - began };
};

const measured = { server_cold_ms: [], server_warm_ms: [], browser_cold_ms: [], browser_warm_ms: [] };
let bytes = 0;
const executablePath = process.env.SPAR_CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (let round = 0; round < Number(args.rounds); round++) {
    const server = await startServer();
    const headers = { authorization: `Bearer ${server.token}` };
    const origin = `http://127.0.0.1:${server.port}`;
    const ask = async () => {
      const query = new URLSearchParams({ keys: keys.join(","), points: "1200" });
      const answer = await fetch(`${origin}/api/runs/large/series?${query}`, { headers });
      if (!answer.ok) throw new Error(`series: ${answer.status} ${await answer.text()}`);
      return answer.text();
    };
    const cold = await time(ask);
    const { series } = JSON.parse(cold.result);
    if (!series[keys[0]].y.includes(spike.value)) throw new Error("the spike is hidden");
    bytes = Buffer.byteLength(cold.result);
    measured.server_cold_ms.push(cold.milliseconds);
    measured.server_warm_ms.push((await time(ask)).milliseconds);
    await stop(server);

    // The browser's first look at a server that has read nothing yet; then once more.
    const fresh = await startServer();
    const page = await (await browser.newContext({ viewport: { width: 1600, height: 1000 } })).newPage();
    await page.goto(fresh.url);
    await page.getByRole("link", { name: "Runs" }).click();
    const open = async () => {
      await page.getByRole("link", { name: "runs/large" }).waitFor();
      return page.evaluate(async () => {
        const began = performance.now();
        [...document.querySelectorAll("a")].find((link) => link.textContent.includes("runs/large")).click();
        // Painted: the first chart has a drawn pixel, and a frame has been shown since.
        const isPainted = () => {
          const canvas = document.querySelector(".chart canvas");
          if (canvas === null || canvas.width === 0) return false;
          const { data } = canvas
            .getContext("2d")
            .getImageData(0, Math.floor(canvas.height / 4), canvas.width, Math.floor(canvas.height / 2));
          return data.some((value, i) => i % 4 === 3 && value > 200);
        };
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
        while (!isPainted()) await frame();
        await frame();
        return performance.now() - began;
      });
    };
    measured.browser_cold_ms.push(await open());
    await page.goto(`${origin.replace(String(server.port), String(fresh.port))}/#/runs`);
    measured.browser_warm_ms.push(await open());
    await page.context().close();
    await stop(fresh);
  }
} finally {
  await browser.close();
  const medians = Object.fromEntries(
    Object.entries(measured).map(([name, all]) => [name, all.length === 0 ? null : Math.round(median(all))]),
  );
  console.log(
    JSON.stringify({
      points: rows * keys.length,
      rows,
      keys: keys.length,
      file_mb: Math.round(statSync(metrics).size / 1e5) / 10,
      answer_kb: Math.round(bytes / 1000),
      ...medians,
      load: Math.round(loadavg()[0] * 10) / 10,
    }),
  );
  rmSync(folder, { recursive: true, force: true });
}
