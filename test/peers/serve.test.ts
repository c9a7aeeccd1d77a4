/** `spar serve` as OpenAI's own Python package sees it. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, tinyModel, type Workplace } from "../invariants/tiny-run.ts";
import { startSpar, type Running } from "../e2e/spar.ts";
import { cpSync, writeFileSync } from "node:fs";

const python = process.env["SPAR_PYTHON"];
const script = fileURLToPath(new URL("openai_client.py", import.meta.url));

interface Seen {
  readonly models: string[];
  readonly retrieved: string;
  readonly content: string;
  readonly finish: string;
  readonly usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  readonly tokens: [token: string, logprob: number, alternatives: number][];
  readonly streamed: string;
  readonly streamed_usage: number;
  readonly text: string;
  readonly text_tokens: number;
  readonly many: string[];
  readonly schema: object;
  readonly other_model: object;
  readonly other_key: string;
}

describe.skipIf(python === undefined)("peers", () => {
  let place: Workplace;
  let spar: Running;
  beforeAll(() => {
    place = createWorkplace();
    cpSync(tinyModel, place.path("tiny"), { recursive: true });
    const template =
      "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    writeFileSync(place.path("tiny", "chat_template.jinja"), template);
    spar = startSpar(["serve", "--model", place.path("tiny"), "--port", "0", "--json", "--name", "org/tiny"], {
      env: { SPAR_API_KEY: "secret" },
    });
  });
  afterAll(() => {
    spar.child.kill("SIGKILL");
    place.remove();
  });

  test("OpenAI's Python package talks with spar serve, which Ctrl-C ends cleanly", async () => {
    let row = "";
    spar.child.stdout?.on("data", (text: string) => {
      row += text;
    });
    await spar.waitFor("base_url");
    const { base_url: base } = JSON.parse(row) as { base_url: string };
    const { stdout } = await promisify(execFile)(python as string, [script, base, "org/tiny", "secret"]);
    const seen = JSON.parse(stdout) as Seen;
    expect(seen).toMatchObject({ models: ["org/tiny"], retrieved: "org/tiny", finish: "length", other_key: "AuthenticationError" });
    expect(seen.usage.completion_tokens).toBe(16);
    expect(seen.usage.total_tokens).toBe(seen.usage.prompt_tokens + 16);
    expect(seen.tokens).toHaveLength(16);
    expect(
      seen.tokens
        .map(([token]) => token)
        .join("")
        .trim(),
    ).toBe(seen.content.trim());
    expect(seen.tokens.every(([, logprob, alternatives]) => logprob < 0 && alternatives === 2)).toBe(true);
    expect(seen.streamed).toBe(seen.content);
    expect(seen.streamed_usage).toBe(16);
    expect(seen.text.length).toBeGreaterThan(4);
    expect(seen.text_tokens).toBe(8);
    expect(new Set(seen.many).size).toBe(8);
    expect(seen.many[7]).toBe(seen.content);
    expect(seen.schema).toEqual({ kind: "BadRequestError", code: "invalid_value", param: "response_format", status: 400 });
    expect(seen.other_model).toEqual({ kind: "NotFoundError", code: "model_not_found", param: "model", status: 404 });
    const health = (await (await fetch(base.replace("/v1", "/health"))).json()) as object;
    expect(health).toEqual({ status: "ok", active: 0, waiting: 0 });
    spar.child.kill("SIGINT");
    expect((await spar.finished).code).toBe(0);
  });
});
