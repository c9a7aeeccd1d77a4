// Rows of `spar generate --n 2 --json` → tasks {prompt, answer1, answer2}, ready for import into Label Studio.
// node recipes/gpt2-label-studio/make-tasks.mjs runs/answers.jsonl > runs/tasks.json
import { readFileSync } from "node:fs";

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node recipes/gpt2-label-studio/make-tasks.mjs ANSWERS.jsonl > TASKS.json");
  process.exit(2);
}
const rows = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const tasks = [];
for (let i = 0; i + 1 < rows.length; i += 2) {
  const [first, second] = [rows[i], rows[i + 1]];
  if (first.prompt !== second.prompt) throw new Error(`lines ${i + 1} and ${i + 2}: expected two completions of one prompt (spar generate --n 2)`);
  tasks.push({ prompt: first.prompt.trim(), answer1: first.completion.trim(), answer2: second.completion.trim() });
}
console.log(JSON.stringify(tasks, undefined, 1));
