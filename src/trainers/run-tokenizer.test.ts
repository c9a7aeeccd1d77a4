/** chat_template_path, eos_token, pad_token: what they change, and that it is in the saved model. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../tokenizer/index.ts";
import { loadRunTokenizer } from "./run-tokenizer.ts";

const model = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-run-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const never = async (name: string): Promise<string> => {
  throw new Error(`${name} was looked for`);
};
const readJson = (path: string): { [key: string]: unknown } => JSON.parse(readFileSync(path, "utf8")) as { [key: string]: unknown };
const turns = [
  { role: "user", content: "Who?" },
  { role: "assistant", content: "A dog." },
];
const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}";

/** A copy of the model's folder, as a save leaves it before the changes are written. */
function copyModel(name: string): string {
  cpSync(model, join(folder, name), { recursive: true });
  return join(folder, name);
}

test("without the keys it is the model's tokenizer, and nothing is written", async () => {
  const saved = copyModel("unchanged");
  const { tokenizer, writeChanges } = await loadRunTokenizer(saved, {}, never);
  const before = readFileSync(join(saved, "tokenizer_config.json"), "utf8");
  await writeChanges(saved);
  expect(readFileSync(join(saved, "tokenizer_config.json"), "utf8")).toBe(before);
  expect(tokenizer.specialTokens).toEqual((await loadTokenizer(model)).specialTokens);
});

test("eos_token and pad_token: ids, names, and where generation of the saved model ends", async () => {
  const { tokenizer, writeChanges } = await loadRunTokenizer(model, { eos_token: "<s>", pad_token: "</s>" }, never);
  expect([tokenizer.eosId, tokenizer.padId, tokenizer.bosId]).toEqual([1, 2, 1]);
  const saved = copyModel("tokens");
  await writeChanges(saved);
  const again = await loadTokenizer(saved);
  expect(again.specialTokens).toMatchObject({ eos_token: "<s>", pad_token: "</s>", unk_token: "<unk>" });
  expect([again.eosId, again.padId]).toEqual([1, 2]);
  for (const name of ["config.json", "generation_config.json"]) expect(readJson(join(saved, name))["eos_token_id"]).toBe(1);
  // The rest of config.json stays.
  expect(readJson(join(saved, "config.json"))["hidden_size"]).toBe(64);
});

test("a token that the tokenizer does not have is refused, with those that it has", async () => {
  await expect(loadRunTokenizer(model, { eos_token: "<|im_end|>" }, never)).rejects.toMatchObject({
    code: "tokenizer/unknown-token",
    message: expect.stringContaining("eos_token: expected a token of the tokenizer in") as string,
    hint: expect.stringContaining('eos_token "</s>"') as string,
  });
  await expect(loadRunTokenizer(model, { pad_token: "<pad>" }, never)).rejects.toMatchObject({ code: "tokenizer/unknown-token" });
});

describe("chat_template_path", () => {
  const render = async (path: string, findModel = never): Promise<string> =>
    (await loadRunTokenizer(model, { chat_template_path: path }, findModel)).tokenizer.applyChatTemplate(turns);
  const rendered = "<user>Who?</s><assistant>A dog.</s>";

  test("a jinja file, with a changed end token; both are saved", async () => {
    const path = join(folder, "chat.jinja");
    writeFileSync(path, template);
    expect(await render(path)).toBe(rendered);
    const { tokenizer, writeChanges } = await loadRunTokenizer(model, { chat_template_path: path, eos_token: "<s>" }, never);
    expect(tokenizer.applyChatTemplate(turns)).toBe("<user>Who?<s><assistant>A dog.<s>");
    const saved = copyModel("chat");
    await writeChanges(saved);
    expect(readFileSync(join(saved, "chat_template.jinja"), "utf8")).toBe(template);
    expect((await loadTokenizer(saved)).applyChatTemplate(turns)).toBe("<user>Who?<s><assistant>A dog.<s>");
  });

  test("a model's: in a file of its own, in tokenizer_config.json, one of several", async () => {
    const other = copyModel("other");
    const asked: string[] = [];
    const find = async (name: string): Promise<string> => {
      asked.push(name);
      return other;
    };
    const config = readJson(join(other, "tokenizer_config.json"));
    const put = (value: unknown): void =>
      writeFileSync(join(other, "tokenizer_config.json"), JSON.stringify({ ...config, chat_template: value }));
    put(template);
    expect(await render("org/other", find)).toBe(rendered);
    put([
      { name: "tool_use", template: "no" },
      { name: "default", template },
    ]);
    expect(await render("org/other", find)).toBe(rendered);
    put("an older one");
    writeFileSync(join(other, "chat_template.jinja"), template);
    expect(await render("org/other", find)).toBe(rendered);
    expect(asked).toEqual(["org/other", "org/other", "org/other"]);
  });

  test("neither file nor template", async () => {
    await expect(render(join(folder, "none.jinja"))).rejects.toMatchObject({ code: "tokenizer/no-chat-template" });
    await expect(render("org/plain", async () => model)).rejects.toThrow("the model org/plain has no chat template");
  });
});
