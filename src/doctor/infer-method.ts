/** Which methods a recipe is for, told from its keys and its data. */
import { detectFormat, loadDataset } from "../data/index.ts";
import { SparError, UsageError } from "../internal/errors.ts";
import { parseRecipe, type Method, type ParseRecipeOptions } from "../recipes/index.ts";
import { trainingSpecs } from "../trainers/index.ts";

/** Methods with so many keys that only one of their own tells them. */
const distinct: ReadonlySet<Method> = new Set<Method>(["pretrain", "self-rewarding", "spin"]);

/** What each of the methods that share most keys learns from. */
const learnsFrom: { readonly [M in Method]?: "preference" | "text" } = { sft: "text", reward: "preference", dpo: "preference" };

/**
 * A `method` key says it. Else the recipe is of a method that knows all its keys; without a reward it is no PPO, and
 * without any key that only `pretrain` (`self-rewarding`, `spin`) has it is not that. `sft`, `reward` and `dpo` share most
 * keys: there the data decide, and preference pairs may be for both `reward` and `dpo`.
 * @throws SparError `usage/invalid` where no method has all the keys; what reading recipe and data throws
 */
export async function inferMethods({ yaml, flags = [] }: Omit<ParseRecipeOptions, "method">): Promise<Method[]> {
  const { configSchemas } = await import("../trainers/configs.ts");
  const recipe = yaml === undefined ? {} : await readYaml(yaml.text, yaml.file);
  const methods = Object.keys(configSchemas) as Method[];
  const said = methods.find((method) => method === recipe["method"]);
  if (said !== undefined) return [said];

  const keys = [...new Set([...Object.keys(recipe), ...flags.flatMap(keyOfFlag)])];
  const knows = (method: Method, key: string): boolean => Object.hasOwn(configSchemas[method].shape, key);
  const known = keys.filter((key) => methods.some((method) => knows(method, key)));
  const fitting = methods.filter((method) => {
    if (!known.every((key) => knows(method, key))) return false;
    if (method === "ppo") return keys.includes("reward_model_path") || keys.includes("reward_funcs");
    return !distinct.has(method) || known.some((key) => methods.every((other) => other === method || !knows(other, key)));
  });
  if (fitting.length === 0) {
    throw new UsageError(`doctor: the keys of ${yaml?.file ?? "the command line"} fit no method`, {
      hint: `say which it is: --method ${methods.join(" or --method ")}`,
    });
  }
  if (fitting.length === 1) return fitting;
  const kind = await detectKind({ method: fitting[0], yaml, flags });
  return fitting.filter((method) => learnsFrom[method] === undefined || learnsFrom[method] === kind);
}

async function readYaml(text: string, file: string): Promise<{ readonly [key: string]: unknown }> {
  const { parse } = await import("yaml");
  try {
    const recipe: unknown = parse(text);
    return typeof recipe === "object" && recipe !== null ? (recipe as { [key: string]: unknown }) : {};
  } catch (cause) {
    throw new SparError("recipe/invalid", `${file}: not valid YAML (${(cause as Error).message})`, { cause });
  }
}

const keyOfFlag = (word: string): string[] =>
  word.startsWith("--") ? [word.slice(2).split("=", 1)[0].replaceAll("-", "_").replace(/^no_/, "")] : [];

/** Pairs of answers are for comparing; a method that learns from texts would take the chosen ones only. */
async function detectKind(options: ParseRecipeOptions): Promise<"preference" | "text"> {
  const { config } = await parseRecipe(options);
  // A live project holds comparisons, and nothing else.
  if (config.datasets.some(({ path }) => path === "label-studio")) return "preference";
  const dataset = await loadDataset(trainingSpecs(config), { seed: config.seed });
  try {
    detectFormat(await dataset.read(0), "preference", { hasChatTemplate: false });
    return "preference";
  } catch (error) {
    if (error instanceof SparError && error.code === "data/columns") return "text";
    throw error;
  } finally {
    await dataset.close();
  }
}
