// Makes the data of recipes/tiny: remarks on films out of a small grammar, in the spelling of models/tiny-reviews (lower
// case, punctuation between spaces). The files beside this one are its output: node recipes/tiny/data/make.mjs
import { writeFileSync } from "node:fs";

const praise = "superb wonderful charming gripping moving brilliant delightful clever fresh warm honest graceful stunning funny memorable tender splendid inspired lively beautiful".split(" ");
const blame = "dull clumsy lifeless tedious awful hollow stale boring shallow noisy messy cheap painful bland forgettable wooden lazy silly pointless dreadful".split(" ");
const parts = "the film,this movie,the story,the acting,the script,the music,the ending,the lead,the camera work,the dialogue,the comedy,the drama,the cast,the director's work,the opening,the second half".split(",");
const verbs = "is,seems,feels,turns out to be,remains".split(",");
const degrees = ["", "", "quite ", "truly ", "rather ", "simply ", "often "];
const whereTo = ["", " from start to finish", " throughout", " in every scene", " , as one would expect", " for its whole length", " even on a second viewing"];
const praiseTails = ["i was happy to have seen it", "it is well worth the ticket", "i would love to see it again", "everybody in the room laughed", "it stays with you for days", "the best thing in theaters this year"];
const blameTails = ["i was sorry to have seen it", "it is a waste of a ticket", "i would hate to see it again", "half of the room fell asleep", "it is gone from memory by the car park", "the worst thing in theaters this year"];

// A small generator of its own (mulberry32), so that the files are the same everywhere.
let state = 20;
function uniform() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const pick = (list) => list[Math.floor(uniform() * list.length)];
const other = (list, taken) => pick(list.filter((word) => word !== taken));

/** What follows "the acting is": an opinion, and often a second one. */
function makeOpinion(positive) {
  const [words, tails] = positive ? [praise, praiseTails] : [blame, blameTails];
  const word = pick(words);
  const first = ` ${pick(degrees)}${word}${uniform() < 0.5 ? ` and ${other(words, word)}` : ""}${pick(whereTo)}`;
  const second = uniform() < 0.4 ? ` , and ${pick(parts)} ${pick(verbs)} ${pick(words)}` : "";
  return `${first}${second} .${uniform() < 0.4 ? ` ${pick(tails)} .` : ""}`;
}
const makeOpening = () => `${pick(parts)} ${pick(verbs)}`;
const repeat = (count, make) => Array.from({ length: count }, make);
const write = (name, lines) => writeFileSync(new URL(name, import.meta.url), `${lines.join("\n")}\n`);
const writeRows = (name, rows) => write(name, rows.map((row) => JSON.stringify(row)));

write("texts.txt", repeat(800, () => repeat(2, () => makeOpening() + makeOpinion(uniform() < 0.5)).join(" ")));
writeRows("praise.jsonl", repeat(320, () => ({ prompt: makeOpening(), completion: makeOpinion(true) })));
writeRows("pairs.jsonl", repeat(480, () => ({ prompt: makeOpening(), chosen: makeOpinion(true), rejected: makeOpinion(false) })));
writeRows("prompts.jsonl", repeat(256, () => (uniform() < 0.5 ? makeOpening() : pick(parts))).map((prompt) => ({ prompt })));
