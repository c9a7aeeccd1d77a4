/** A recipe whose data come from a hub (config and splits named), with template and tokens of its own: through the command line, to the saved model. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startHubServer, type HubServer } from "../fixtures/hub-server.ts";
import { createWorkplace, tinyModel } from "../invariants/tiny-run.ts";
import { parseRows, runSpar } from "./spar.ts";

const place = createWorkplace();
let hub: HubServer;
beforeAll(async () => {
  mkdirSync(place.path("set"));
  writeFileSync(
    place.path("set", "README.md"),
    "---\nconfigs:\n- config_name: talk\n  data_files:\n  - {split: train_sft, path: learn.jsonl}\n  - {split: test_sft, path: held.jsonl}\n---\n",
  );
  const rows = (count: number): object[] =>
    Array.from({ length: count }, (_, i) => ({
      messages: [
        { role: "user", content: `Who is number ${i}?` },
        { role: "assistant", content: "A little dog." },
      ],
    }));
  place.writeRows("set/learn.jsonl", rows(6));
  place.writeRows("set/held.jsonl", rows(3));
  hub = await startHubServer({ datasets: { "org/talk": place.path("set") } });
});
afterAll(async () => {
  await hub.close();
  place.remove();
});

test("trains on one split, evaluates on the other, and saves template and end token", async () => {
  writeFileSync(
    place.path("turns.jinja"),
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
  );
  writeFileSync(
    place.path("recipe.yaml"),
    `model_name_or_path: ${tinyModel}
dataset_name: org/talk
dataset_config: talk
dataset_train_split: train_sft
dataset_test_split: test_sft
chat_template_path: ${place.path("turns.jinja")}
eos_token: <s>
pad_token: </s>
output_dir: ${place.path("out")}
max_steps: 2
per_device_train_batch_size: 2
logging_steps: 1
eval_strategy: steps
eval_steps: 2
save_strategy: "no"
gradient_checkpointing: false
`,
  );
  const env = { HF_ENDPOINT: hub.url, HF_HOME: place.path("hf"), HF_TOKEN: "", HF_HUB_OFFLINE: "" };
  const { code, stderr } = await runSpar(["sft", "--config", place.path("recipe.yaml")], { env });
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("talk: 6 rows");
  const metrics = parseRows(readFileSync(place.path("out", "metrics.jsonl"), "utf8"));
  expect(metrics.filter((row) => "loss" in row)).toHaveLength(2);
  expect(metrics.at(-1)).toHaveProperty("eval_loss");

  const readJson = (name: string): { [key: string]: unknown } =>
    JSON.parse(readFileSync(place.path("out", name), "utf8")) as { [key: string]: unknown };
  expect(readFileSync(place.path("out", "chat_template.jinja"), "utf8")).toContain("m.role");
  expect(readJson("tokenizer_config.json")).toMatchObject({ eos_token: "<s>", pad_token: "</s>" });
  expect(readJson("config.json")["eos_token_id"]).toBe(1);
  expect(readJson("generation_config.json")["eos_token_id"]).toBe(1);
  // What was saved renders conversations by itself.
  place.writeRows("ask.jsonl", [{ prompt: [{ role: "user", content: "Who?" }] }]);
  const words = ["generate", "--model", place.path("out"), "--prompts", place.path("ask.jsonl"), "--max-new-tokens", "2", "--json"];
  const asked = await runSpar(words, { env });
  expect(asked.code, asked.stderr).toBe(0);
  const [{ prompt_ids: ids }] = parseRows(asked.stdout) as { prompt_ids: number[] }[];
  // "user: Who?" ends with the end token that the recipe named.
  expect(ids).toContain(1);
});
