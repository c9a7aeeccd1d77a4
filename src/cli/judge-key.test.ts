/** The key of a judge in a training run: it comes from the environment, goes to the endpoint, and stands in no file. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { runProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-judge-key-"));
let server: Server | undefined;
afterAll(() => {
  server?.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("OPENAI_API_KEY is sent, and where it is refused the hint names ways that work here", async () => {
  const keys: (string | undefined)[] = [];
  server = createServer((request, response) => {
    keys.push(request.headers.authorization);
    request.resume().on("end", () => response.writeHead(401).end(JSON.stringify({ error: { message: "bad key sk-loop" } })));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("OPENAI_API_KEY", "sk-loop");
  const prompts = join(folder, "prompts.jsonl");
  writeFileSync(prompts, Array.from({ length: 4 }, (_, i) => `${JSON.stringify({ prompt: `the film number ${i}` })}\n`).join(""));
  const flags = {
    model_name_or_path: fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url)),
    dataset_name: prompts,
    num_eval_prompts: 2,
    max_new_tokens: 2,
    outside_judge: `openai:http://127.0.0.1:${(server.address() as AddressInfo).port}/v1#m`,
    output_dir: join(folder, "run"),
  };
  let err = "";
  const code = await runProgram(["self-rewarding", ...Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)])], {
    version: "0",
    stdout: { write: () => undefined },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  expect(code).toBe(1);
  expect(new Set(keys)).toEqual(new Set(["Bearer sk-loop"]));
  expect(err).toMatch(/answered 401: .*bad key …/);
  expect(err).toContain("The key that was sent is refused. Name a file that holds the key in outside_judge_api_key_file");
  expect(err).not.toContain("--api-key-env");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) if (statSync(file).isFile()) expect(readFileSync(file, "utf8")).not.toContain("sk-loop");
});
