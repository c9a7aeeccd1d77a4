/** Which charts a run has: first what one looks at in RLHF, then everything else by the part of its name before the slash. */

export interface Panel {
  readonly id: string;
  readonly title: string;
  /** What it tells, for people who see it for the first time. */
  readonly hint?: string;
  readonly source: "metrics" | "system";
  readonly keys: readonly string[];
  /** Lowest and highest around the first key. */
  readonly band?: readonly [low: string, high: string];
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

interface Preset {
  readonly title: string;
  readonly hint: string;
  readonly keys: readonly string[];
  readonly band?: readonly [low: string, high: string];
  readonly source?: "system";
}

/** A preset is shown where the run has one of its keys. */
const presets: readonly Preset[] = [
  { title: "Score", hint: "Mean reward of a batch, without the penalty for KL", keys: ["objective/scores", "reward"] },
  { title: "Reward after KL", hint: "Score less kl_coef × KL: what PPO maximises", keys: ["objective/rlhf_reward"] },
  { title: "KL to the reference", hint: "Nats an answer; a high score at a high KL proves little", keys: ["objective/kl", "kl"] },
  { title: "Grade by the judge", hint: "The judge that is trained on; it always rises", keys: ["judge/mean_score"] },
  { title: "Grade from outside", hint: "A judge that nothing is trained on", keys: ["outside/mean_score"] },
  { title: "Wins against the first model", hint: "By the outside judge, ties half", keys: ["outside/win_rate"] },
  { title: "Gain of the game", hint: "ln 2 less the loss on examples set apart", keys: ["gain/gain"] },
  { title: "Reward", hint: "Mean with lowest and highest of a batch", keys: ["mean_reward"], band: ["min_reward", "max_reward"] },
  { title: "Reward margin", hint: "Chosen less rejected", keys: ["rewards/margins", "eval_rewards/margins", "margin", "eval_margins"] },
  {
    title: "Reward accuracy",
    hint: "Share of pairs in the right order",
    keys: ["rewards/accuracies", "eval_rewards/accuracies", "accuracy", "eval_accuracy", "eval_accuracies", "gain/accuracy"],
  },
  { title: "Rewards of both sides", hint: "β × log-ratio to the reference", keys: ["rewards/chosen", "rewards/rejected"] },
  { title: "Log-probs of both sides", hint: "Both may fall while the margin grows", keys: ["logps/chosen", "logps/rejected"] },
  { title: "Loss", hint: "Training, and held-out data where there is any", keys: ["loss", "eval_loss"] },
  { title: "Loss of policy and value", hint: "The two parts of PPO's loss", keys: ["loss/policy_avg", "loss/value_avg"] },
  { title: "Entropy", hint: "Nats a token; near zero the model says one thing only", keys: ["policy/entropy_avg", "entropy"] },
  {
    title: "Token accuracy",
    hint: "Share of tokens that the model would have said",
    keys: ["mean_token_accuracy", "eval_mean_token_accuracy"],
  },
  { title: "Perplexity", hint: "On held-out data", keys: ["eval_perplexity"] },
  { title: "Clipped updates", hint: "Share of tokens whose ratio left the clip range", keys: ["policy/clipfrac_avg", "val/clipfrac_avg"] },
  { title: "Completion length", hint: "Tokens an answer", keys: ["completions/mean_length", "answers/mean_length"] },
  { title: "Gradient norm", hint: "Before clipping", keys: ["grad_norm"] },
  { title: "Learning rate", hint: "As used at the step", keys: ["learning_rate", "lr"] },
  { title: "KL coefficient", hint: "Weight of KL in the reward", keys: ["objective/kl_coef"] },
  { title: "Tokens a second", hint: "From system.jsonl", keys: ["tokens_per_second"], source: "system" },
];

/** Not curves: what x is made of. */
const axes = new Set(["step", "epoch", "num_tokens", "time"]);

const systemPresets: readonly Preset[] = [
  { title: "Processor", hint: "100 % is one core busy", keys: ["cpu_percent"] },
  { title: "Memory", hint: "Resident set of the process, in MB", keys: ["memory_mb"] },
  { title: "Tokens a second", hint: "Trained on", keys: ["tokens_per_second"] },
];

const idOf = (title: string): string => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

export function arrangeSystemPanels(keys: readonly string[]): Panel[] {
  return systemPresets
    .filter(({ keys: wanted }) => wanted.some((key) => keys.includes(key)))
    .map(({ title, hint, keys: wanted }) => ({ id: idOf(title), title, hint, source: "system", keys: wanted }));
}

function findGroup(key: string): string {
  if (key.startsWith("eval_")) return "eval";
  const slash = key.indexOf("/");
  return slash > 0 ? key.slice(0, slash) : "other";
}

/** `keys`, `systemKeys`: those of all runs that are shown. Sections without panels are left out. */
export function arrangePanels(keys: readonly string[], systemKeys: readonly string[], filter: RegExp | null): Section[] {
  const there = new Set(keys);
  const system = new Set(systemKeys);
  const used = new Set<string>();
  const isWanted = (key: string, title: string): boolean => filter === null || filter.test(key) || filter.test(title);
  const main: Panel[] = [];
  for (const { title, hint, keys: wanted, band, source } of presets) {
    const has = source === "system" ? system : there;
    const found = wanted.filter((key) => has.has(key));
    for (const key of [...found, ...(band ?? [])]) if (source === undefined) used.add(key);
    const shown = found.filter((key) => isWanted(key, title));
    if (shown.length === 0) continue;
    const isBanded = band !== undefined && band.every((key) => there.has(key));
    main.push({ id: idOf(title), title, hint, source: source ?? "metrics", keys: shown, ...(isBanded ? { band } : {}) });
  }
  const groups = new Map<string, Panel[]>();
  for (const key of keys) {
    if (used.has(key) || axes.has(key) || !isWanted(key, key)) continue;
    const group = findGroup(key);
    const panels = groups.get(group) ?? [];
    groups.set(group, panels);
    panels.push({ id: key, title: key, source: "metrics", keys: [key] });
  }
  const byName = [...groups].sort(([a], [b]) => (a === "other" ? 1 : b === "other" ? -1 : a < b ? -1 : 1));
  return [
    { id: "main", title: "Overview", panels: main },
    ...byName.map(([title, panels]) => ({ id: `group-${title}`, title, panels })),
  ].filter(({ panels }) => panels.length > 0);
}

/** Undefined where the text is no regular expression. */
export function parseFilter(text: string): RegExp | null | undefined {
  if (text.trim() === "") return null;
  try {
    return new RegExp(text.trim(), "i");
  } catch {
    return undefined;
  }
}
