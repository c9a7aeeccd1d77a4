import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseRecipe } from "./load.ts";

type Defaults = { [key: string]: unknown };
type Fixture = { shared: Defaults; sft: Defaults; reward: Defaults; ppo: Defaults };

const fixture = JSON.parse(readFileSync(new URL("../../test/fixtures/trl-defaults.json", import.meta.url), "utf8")) as Fixture;
const needed = { model_name_or_path: "m", dataset_name: "d" };

/** Where spar's defaults are not TRL's; docs/recipe-keys.md says why. */
const differences = { sft: [], reward: [], ppo: ["warmup_ratio", "logging_steps", "sft_model_path", "reward_model_path"] } as const;

test.each(["sft", "reward", "ppo"] as const)(
  "%s: every key that TRL has is accepted at TRL's default, and the defaults agree",
  async (method) => {
    const trl = { ...(method === "ppo" ? {} : fixture.shared), ...fixture[method] };
    const values = { ...trl, ...needed };
    const written = await parseRecipe({ method, yaml: { text: JSON.stringify(values), file: "trl.yaml" } });
    const flags = method === "ppo" ? ["--reward_model_path", "r"] : [];
    const absent = await parseRecipe({ method, yaml: { text: JSON.stringify(needed), file: "absent.yaml" }, flags });
    const differing = Object.entries(absent.config).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify((written.config as Defaults)[key]),
    );
    expect(differing.map(([key]) => key).sort()).toEqual([...differences[method]].sort());
  },
);
