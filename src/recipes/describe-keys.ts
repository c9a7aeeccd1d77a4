/** What the schemas say about a method's keys: for help texts and for docs/recipe-keys.md. */

import type { Method } from "../trainers/configs.ts";

export type KeyDescription = {
  key: string;
  kind: string;
  /** As it would be written in YAML, on one line. */
  default: string;
  description: string;
  expects: string;
};

function renderDefault(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The keys of a method, in the schema's order. */
export async function describeKeys(method: Method): Promise<KeyDescription[]> {
  const { configSchemas, getFieldInfo } = await import("../trainers/configs.ts");
  const shape: { [key: string]: Parameters<typeof getFieldInfo>[0] } = configSchemas[method].shape;
  return Object.entries(shape).flatMap(([key, schema]) => {
    const info = getFieldInfo(schema);
    return info === undefined
      ? []
      : [{ key, kind: info.kind, default: renderDefault(info.default), description: info.description, expects: info.expects }];
  });
}

/** The text of docs/recipe-keys.md. */
export async function renderKeysDocument(): Promise<string> {
  const { configSchemas, ignoredKeys, ignoredPPOKeys, keyAliases, unavailableKeys } = await import("../trainers/configs.ts");
  const methods = Object.keys(configSchemas) as Method[];
  const described = new Map<Method, KeyDescription[]>();
  for (const method of methods) described.set(method, await describeKeys(method));
  const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const row = (entry: KeyDescription): string =>
    `| \`${entry.key}\` | \`${cell(entry.default)}\` | ${cell(entry.expects)} | ${cell(entry.description)} |`;
  const head = ["| key | default | value | meaning |", "|---|---|---|---|"];
  const findIn = (method: Method, key: string): KeyDescription | undefined => described.get(method)?.find((entry) => entry.key === key);
  const shared = described.get("sft")!.filter((entry) => methods.every((method) => findIn(method, entry.key) !== undefined));
  const lines = [
    "# Recipe keys",
    "",
    "Written from the schemas by `SPAR_UPDATE_DOCS=1 npx vitest run src/recipes/describe-keys.test.ts`; a test fails where this file is out of date.",
    "",
    "A recipe is a flat YAML file of these keys, each also a flag (`--learning-rate 1e-5`). Names, meanings and defaults are those of",
    "TRL 1.16 (with Transformers 5's TrainingArguments) for `sft`, `reward` and `dpo`, of TRL 0.12.2's PPOConfig for `ppo`; `pretrain` has no",
    "counterpart in TRL. Where spar has more keys or another default, the last section says so.",
    "",
    "## Shared by all methods",
    "",
    "Defaults are those of `sft`; where another method has its own, its section repeats the key.",
    "",
    ...head,
    ...shared.map(row),
  ];
  for (const method of methods) {
    const own = described.get(method)!.filter((entry) => {
      const common = shared.find((candidate) => candidate.key === entry.key);
      return common === undefined || common.default !== entry.default;
    });
    lines.push("", `## ${method}`, "", ...head, ...own.map(row));
  }
  lines.push(
    "",
    "## Other names",
    "",
    "Older and other names that are understood where the method has the key:",
    "",
    "| written | means |",
    "|---|---|",
  );
  for (const [alias, key] of Object.entries(keyAliases)) lines.push(`| \`${alias}\` | \`${key}\` |`);
  lines.push("| `group_by_length: true` | `train_sampling_strategy: group_by_length` |");
  lines.push(
    "",
    "## Features that are not there",
    "",
    "These keys pass at the value that leaves the feature off; another value is an error.",
    "",
    "| key | feature | off |",
    "|---|---|---|",
  );
  for (const [key, rule] of Object.entries(unavailableKeys)) lines.push(`| \`${key}\` | ${rule.feature} | \`${rule.off}\` |`);
  lines.push(
    "",
    "## Keys that mean nothing here",
    "",
    "Accepted with any value, and named in one line when a run starts:",
    `${[...ignoredKeys]
      .sort()
      .map((key) => `\`${key}\``)
      .join(", ")}.`,
    `For \`ppo\` also, as TRL computes them itself: ${[...ignoredPPOKeys]
      .sort()
      .map((key) => `\`${key}\``)
      .join(", ")}.`,
    "",
    "## Differences from TRL",
    "",
    "- `num_layers_unfrozen`, `overwrite_output_dir` (gone from Transformers 5) and `warmup_ratio` (there: `warmup_steps` below 1) are spar's or older names.",
    "- `ppo`: `sft_model_path` and `reward_model_path` have no default (TRL 0.12.2: `EleutherAI/pythia-160m`). Without `value_model_path` a value head",
    "  sits on the policy's trunk. `reward_funcs`, `reward_weights`, `kl_estimator`, `top_k`, `top_p`, `max_prompt_length` and `whiten_advantages` are additions;",
    "  `adap_kl_ctrl`, `kl_target`, `kl_horizon`, `use_score_scaling`, `use_score_norm` and `score_clip` are those of older TRL. Every update is logged (`logging_steps` 1), as",
    "  TRL 0.12.2's trainer does whatever its `logging_steps` says.",
    "- `dpo`: `ref_model_name_or_path` is an addition (TRL takes a second model as an argument only). `use_weighting` with `sft` is refused: a weight belongs to a pair, and the sft term is a mean over tokens.",
    "- `datasets`: `weight`, `revision`, `sample_by`, `task` and a map of `columns` are additions.",
    "- `report_to`: `all` means every tracker that spar has. `project` is W&B's too, where it is set, and MLflow's experiment.",
    "- `dtype`: the engine computes in float32 whatever it says.",
    "- A key that is set twice with different values is an error (Python would take the last), and so is an unknown key.",
    "",
  );
  return lines.join("\n");
}
