/** The commands by name. Nothing of a command is loaded before it is chosen. */

import type { CommandIO } from "./output.ts";

export type Command = { run(args: string[], io: CommandIO): Promise<void> };

type Entry = { summary: string; load: () => Promise<Command> };

export const commands: { readonly [name: string]: Entry } = {
  quickstart: {
    summary: "from the shipped tiny model to one tuned by PPO on human judgements, with a report",
    load: () => import("./commands/quickstart.ts"),
  },
  pretrain: { summary: "train a language model from scratch, its tokenizer included", load: () => import("./commands/pretrain.ts") },
  sft: { summary: "fine-tune a language model on texts, completions or conversations", load: () => import("./commands/sft.ts") },
  reward: { summary: "train a reward model on pairs of a chosen and a rejected completion", load: () => import("./commands/reward.ts") },
  ppo: { summary: "tune a model by PPO against a reward model, rules, a module or a service", load: () => import("./commands/ppo.ts") },
  dpo: {
    summary: "tune a model on pairs of a chosen and a rejected completion (DPO and its relatives)",
    load: () => import("./commands/dpo.ts"),
  },
  "self-rewarding": {
    summary: "let a model answer, grade its answers and learn from the grades, again and again",
    load: () => import("./commands/self-rewarding.ts"),
  },
  spin: {
    summary: "let a model learn to tell people's answers from its own, until it cannot",
    load: () => import("./commands/spin.ts"),
  },
  generate: { summary: "complete prompts", load: () => import("./commands/generate.ts") },
  chat: { summary: "talk with a model in the terminal", load: () => import("./commands/chat.ts") },
  logprobs: { summary: "log-probabilities of given texts, or scores of a reward model", load: () => import("./commands/logprobs.ts") },
  ui: { summary: "label, watch runs, compare samples and chat on a page in the browser", load: () => import("./commands/ui.ts") },
  label: {
    summary: "let people choose between answers on a page, and write what they chose as pairs",
    load: () => import("./commands/label.ts"),
  },
  serve: { summary: "answer programs by OpenAI's protocol with a model", load: () => import("./commands/serve.ts") },
  eval: { summary: "measure a model, set it against another, or compare results", load: () => import("./commands/eval.ts") },
  judge: { summary: "grade or compare answers, or measure a judge against people", load: () => import("./commands/judge.ts") },
  "label-studio": {
    summary: "exchange tasks and labels with Label Studio, or label there beforehand with a reward model",
    load: () => import("./commands/label-studio.ts"),
  },
  doctor: { summary: "test this machine, or a recipe before it is run", load: () => import("./commands/doctor.ts") },
};

/** Named in spar's interface, and not there yet. */
export const plannedCommands: ReadonlySet<string> = new Set("grpo rloo kto orpo cpo online-dpo raft export submit".split(" "));

/** The text of `spar --help`. */
export function renderHelp(version: string): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    `spar ${version}: self-play and RLHF for language models`,
    "",
    "usage: spar COMMAND [options]",
    "",
    ...lines,
    "",
    "every command:",
    "  --help     its options, with examples",
    "  --json     standard output holds JSON lines only",
    "  --debug    errors with their stack",
    "",
    "start with:  spar quickstart",
  ].join("\n");
}
