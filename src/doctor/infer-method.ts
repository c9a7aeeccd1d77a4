/** Which method a recipe is for, told from its keys. */
import { SparError, UsageError } from "../internal/errors.ts";
import type { Method } from "../recipes/index.ts";

/**
 * A `method` key says it. Else the recipe is of the one method that knows all its keys; without a reward it is no PPO, and
 * without any key that only `pretrain` has it is no pretraining. `sft`, `reward` and `dpo` share most keys, so `--method` may be needed.
 * Throws `usage/invalid` where the keys do not tell.
 */
export async function inferMethod(text: string, file: string): Promise<Method> {
  const { parse } = await import("yaml");
  const { configSchemas } = await import("../trainers/configs.ts");
  let recipe: unknown;
  try {
    recipe = parse(text);
  } catch (cause) {
    throw new SparError("recipe/invalid", `${file}: not valid YAML (${(cause as Error).message})`, { cause });
  }
  const keys = typeof recipe === "object" && recipe !== null ? Object.keys(recipe) : [];
  const methods = Object.keys(configSchemas) as Method[];
  const named = (recipe as { method?: unknown } | null)?.method;
  const said = methods.find((method) => method === named);
  if (said !== undefined) return said;
  const knows = (method: Method, key: string): boolean => Object.hasOwn(configSchemas[method].shape, key);
  const known = keys.filter((key) => methods.some((method) => knows(method, key)));
  const fitting = methods.filter((method) => {
    if (!known.every((key) => knows(method, key))) return false;
    if (method === "ppo") return keys.includes("reward_model_path") || keys.includes("reward_funcs");
    return method !== "pretrain" || known.some((key) => methods.every((other) => other === "pretrain" || !knows(other, key)));
  });
  if (fitting.length === 1) return fitting[0];
  throw new UsageError(`doctor: the keys of ${file} fit ${fitting.length === 0 ? "no method" : fitting.join(" and ")}`, {
    hint: `say which it is: --method ${(fitting.length === 0 ? methods : fitting).join(" or --method ")}`,
  });
}
