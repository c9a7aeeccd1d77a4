/** The body of a page's request, checked. */
import type { Context } from "hono";
import type { z } from "zod";
import { RequestError } from "./ui-error.ts";

/** Throws RequestError `ui/bad-request` that names every key that is wrong. */
export async function readBody<T extends z.ZodType>({ req }: Context, schema: T): Promise<z.output<T>> {
  // A page of another site may send text or forms without asking, JSON not.
  if (!/^application\/json\s*(;|$)/i.test(req.header("content-type") ?? ""))
    throw new RequestError(415, "ui/bad-request", "expected content-type: application/json");
  let body: unknown;
  try {
    body = JSON.parse(await req.text());
  } catch (error) {
    throw new RequestError(400, "ui/bad-request", `the request is not valid JSON (${(error as Error).message})`);
  }
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  throw new RequestError(400, "ui/bad-request", problems.join("; "));
}
