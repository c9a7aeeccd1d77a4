// The data of these recipes, in data/. Nothing is left to chance: the files are the same each time.
//   node recipes/smollm2/make-data.mjs [harmless-base/test.jsonl.gz of Anthropic/hh-rlhf]
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";

mkdirSync("data", { recursive: true });
const write = (name, rows) => {
  writeFileSync(`data/${name}.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  console.log(`data/${name}.jsonl: ${rows.length} rows`);
};

// Prompts: every part of a film with every sort of film. No prompt to watch on is one to learn on.
const parts = ["acting", "plot", "music", "ending", "dialogue", "camera work", "costumes", "pace", "opening scene", "sets"];
const sorts = ["horror film", "comedy", "thriller", "war film", "western", "love story", "science fiction film", "documentary"];
const prompts = shuffle(parts.flatMap((part) => sorts.map((sort) => ask(`You have just seen a ${sort}. What did you think of the ${part}? Answer in one sentence.`))));
write("prompts", prompts.slice(0, 56));
write("watch", prompts.slice(56));

// Sentences of imdb.com that people labelled positive or negative (Kotzias et al. 2015, CC BY 4.0), out of npm's package sentiment.
const file = createRequire(import.meta.url).resolve("sentiment/test/fixtures/imdb.json");
const sentences = shuffle(JSON.parse(readFileSync(file, "utf8")).filter(({ text }) => text?.trim().length > 25 && text.length < 160));
const liked = sentences.filter((row) => row.class === 1);
const disliked = sentences.filter((row) => row.class === 0);
const request = "Say in one sentence something good about a film.";
const films = liked.slice(0, 100).map(({ text }, i) => ({ prompt: request, chosen: text.trim(), rejected: disliked[i].text.trim() }));
write("films-test", films);

if (process.argv[2] !== undefined) {
  // The last answer of a dialog is judged, what precedes it is the request. Texts above 600 characters are left out for speed's sake.
  const cut = (dialog) => {
    const at = dialog.lastIndexOf("\n\nAssistant:");
    return { prompt: dialog.slice(0, at), answer: dialog.slice(at + "\n\nAssistant:".length).trim() };
  };
  const lines = gunzipSync(readFileSync(process.argv[2])).toString().trim().split("\n");
  const rows = lines.flatMap((line) => {
    const { chosen, rejected } = JSON.parse(line);
    const [better, worse] = [cut(chosen), cut(rejected)];
    if (better.prompt !== worse.prompt || better.answer === worse.answer || !better.answer || !worse.answer) return [];
    if (better.prompt.length + Math.max(better.answer.length, worse.answer.length) > 600) return [];
    const isOne = better.prompt.split("\n\nHuman:").length === 2;
    const prompt = isOne ? better.prompt.replace(/^\s*Human:/, "").trim() : better.prompt.trim();
    return [{ prompt, chosen: better.answer, rejected: worse.answer }];
  });
  write("harmless-test", shuffle(rows).slice(0, 100));
}

function ask(content) {
  return { prompt: [{ role: "user", content }] };
}

/** Fisher and Yates, with mulberry32 from seed 42. */
function shuffle(rows) {
  const order = [...rows];
  let state = 42;
  for (let i = order.length - 1; i > 0; i--) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    const j = Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
