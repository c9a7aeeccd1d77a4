/** Rubrics as files: Markdown with the keys above the text. Those that are shipped lie in recipes/rubrics. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { SparError } from "../../internal/errors.ts";
import { checkRubric, type Rubric } from "./rubric.ts";

const shipped = ["additive-v1", "pairwise-v1"] as const;

export type ShippedRubric = (typeof shipped)[number];

const headSchema = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(["grade", "compare"]),
  range: z.tuple([z.number(), z.number()]).optional(),
  lead: z.string().default(""),
  answers: z.record(z.string(), z.number()),
  chat: z.boolean().optional(),
});

/** A shipped rubric by its name, or one's own by its file. Throws `judge/rubric-missing`, `judge/invalid-rubric`. */
export async function loadRubric(nameOrPath: string): Promise<Rubric> {
  const path = (shipped as readonly string[]).includes(nameOrPath)
    ? fileURLToPath(new URL(`../../../recipes/rubrics/${nameOrPath}.md`, import.meta.url))
    : nameOrPath;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new SparError("judge/rubric-missing", `Reading the rubric ${nameOrPath}: ${(cause as Error).message}`, {
      hint: `Give a file, or one of those that are shipped: ${shipped.join(", ")}.`,
      cause,
    });
  }
  return parseRubric(text, path);
}

/** `who` names the file in messages. */
export function parseRubric(text: string, who: string): Rubric {
  const match = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---[ \t]*\r?\n([\s\S]*)$/.exec(text);
  if (match === null) {
    throw new SparError("judge/invalid-rubric", `Rubric ${who}: expected keys between two lines of ---, then the text`, {
      hint: "recipes/rubrics holds rubrics to start from.",
    });
  }
  const { range, answers, chat, ...head } = parseHead(match[1], who);
  return checkRubric(
    {
      ...head,
      template: match[2].replaceAll("\r\n", "\n").trim(),
      answers: Object.entries(answers).map(([answer, value]) => ({ text: answer, value })),
      range: head.kind === "compare" ? [0, 1] : (range ?? spanOf(Object.values(answers))),
      ...(chat === undefined ? {} : { chat }),
    },
    who,
  );
}

function parseHead(text: string, who: string): z.infer<typeof headSchema> {
  let head: unknown;
  try {
    head = parseYaml(text);
  } catch (cause) {
    throw new SparError("judge/invalid-rubric", `Rubric ${who}: its keys are not YAML (${(cause as Error).message})`, { cause });
  }
  const checked = headSchema.safeParse(head);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(({ path, message }) => `${path.join(".") || "keys"}: ${message}`);
  throw new SparError("judge/invalid-rubric", `Rubric ${who}: ${problems.join("; ")}`, {
    hint: "Keys are name, kind (grade or compare), range, lead, answers (text: value) and chat.",
  });
}

function spanOf(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}
