/** A person at the labeling page, for tests that need labels and no browser. */
import { expect } from "vitest";
import type { NextAnswer, ShownTask, SubmittedLabel } from "../src/server/ui/label/protocol.ts";

export interface Person {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly token: string;
  readonly annotator: string;
  /** Default `tasks`, of a file `tasks.jsonl`. */
  readonly project?: string;
  decide(task: ShownTask): Pick<SubmittedLabel, "choice" | "ranking">;
}

/** Labels whatever is left, ten tasks at a time; returns how many. */
export async function labelByProtocol({ origin, token, annotator, project = "tasks", decide }: Person): Promise<number> {
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const answer = await fetch(`${origin}/api/label/projects/${project}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as T;
  };
  for (let count = 0; ;) {
    const { tasks } = await post<NextAnswer>("next", { annotator, tab: "script", held: [], count: 10 });
    if (tasks.length === 0) return count;
    const labels: SubmittedLabel[] = tasks.map((task) => ({
      id: crypto.randomUUID(),
      task: task.id,
      annotator,
      ...decide(task),
      milliseconds: 4000,
      guidelinesVersion: 0,
    }));
    const { saved } = await post<{ saved: string[] }>("labels", { labels });
    expect(saved).toHaveLength(labels.length);
    count += labels.length;
  }
}
