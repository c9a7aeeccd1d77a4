/** A reward that another process computes: POST {prompts, completions, columns} → {scores}. */
import { setTimeout as sleep } from "node:timers/promises";
import { SparError } from "../internal/errors.ts";
import { checkScores, type RewardFunction, type RewardRow, type Score } from "./reward.ts";

export interface HTTPRewardOptions {
  /** Rows a request. */
  readonly batchSize?: number;
  /** Requests at a time. */
  readonly concurrency?: number;
  /** Seconds that one request may take. */
  readonly timeout?: number;
  /** Further attempts after the first. */
  readonly retries?: number;
  /** Seconds before the second attempt; doubled each time. */
  readonly backoff?: number;
}

/** No wait is longer, whatever a server asks for. In seconds. */
const longestWait = 60;

/** `columns` of the request holds the rows' further columns, a list each (null where a row lacks it). */
export function createHTTPReward(
  address: string,
  { batchSize = 64, concurrency = 4, timeout = 60, retries = 4, backoff = 0.5 }: HTTPRewardOptions = {},
): RewardFunction {
  if (!URL.canParse(address))
    throw new SparError("rewards/invalid-address", `Reward service: expected an http(s) address, got "${address}"`);
  const url = new URL(address);
  const headers: { [name: string]: string } = { "content-type": "application/json", accept: "application/json" };
  // fetch refuses credentials in the address, and messages must not show them.
  if (url.username !== "")
    headers["authorization"] =
      `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString("base64")}`;
  url.username = "";
  url.password = "";
  const name = `${url.host}${url.pathname === "/" ? "" : url.pathname}`;
  const who = `The reward service ${url.origin}${url.pathname}`;

  const request = async (rows: readonly RewardRow[], signal: AbortSignal | undefined): Promise<Score[]> => {
    const body = JSON.stringify(formatRequest(rows));
    for (let attempt = 0; ; attempt++) {
      const failure = await post(url, headers, body, timeout, signal);
      if ("scores" in failure) return checkScores(failure.scores, rows.length, who);
      signal?.throwIfAborted();
      if (!failure.again || attempt === retries) {
        const attempts = attempt === 0 ? "" : ` (${attempt + 1} attempts)`;
        throw new SparError("rewards/service-failed", `${who} ${failure.reason}${attempts}`, {
          cause: failure.cause,
          hint: "It should answer POST {prompts, completions, columns} with {scores}, one number a row.",
        });
      }
      await sleep(
        1000 * Math.min(longestWait, Math.max(backoff * 2 ** attempt, failure.retryAfter ?? 0)),
        undefined,
        signal === undefined ? {} : { signal },
      );
    }
  };

  return {
    name,
    async score(rows, { signal } = {}) {
      const starts = Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, i) => i * batchSize);
      const results: Score[][] = [];
      // One request that fails for good stops those that wait.
      const stopped = new AbortController();
      const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < starts.length) {
          const i = next++;
          results[i] = await request(rows.slice(starts[i], starts[i] + batchSize), either);
        }
      };
      const workers = Array.from({ length: Math.min(concurrency, starts.length) }, work);
      try {
        await Promise.all(workers);
      } catch (error) {
        stopped.abort();
        await Promise.allSettled(workers);
        throw error;
      }
      return results.flat();
    },
  };
}

function formatRequest(rows: readonly RewardRow[]): { prompts: unknown[]; completions: string[]; columns: { [name: string]: unknown[] } } {
  const own = new Set(["prompt", "completion", "prompt_ids", "completion_ids"]);
  const names = new Set(rows.flatMap((row) => Object.keys(row)).filter((name) => !own.has(name)));
  return {
    prompts: rows.map((row) => row.prompt),
    completions: rows.map((row) => row.completion),
    columns: Object.fromEntries([...names].map((name) => [name, rows.map((row) => row[name] ?? null)])),
  };
}

type Outcome = { scores: unknown } | { reason: string; again: boolean; retryAfter?: number | undefined; cause?: unknown };

async function post(
  url: URL,
  headers: { [name: string]: string },
  body: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const limit = AbortSignal.timeout(timeout * 1000);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    const text = await response.text();
    if (!response.ok) {
      const again = response.status >= 500 || [408, 425, 429].includes(response.status);
      const shown = text.trim().slice(0, 200);
      return {
        reason: `answered ${response.status}${shown === "" ? "" : `: ${shown}`}`,
        again,
        retryAfter: parseRetryAfter(response.headers.get("retry-after")),
      };
    }
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (cause) {
      return { reason: `answered something that is not JSON: ${text.trim().slice(0, 200)}`, again: false, cause };
    }
    if (typeof answer !== "object" || answer === null || !("scores" in answer)) {
      return { reason: `answered without "scores": ${text.trim().slice(0, 200)}`, again: false };
    }
    return { scores: answer.scores };
  } catch (cause) {
    if (limit.aborted) return { reason: `did not answer within ${timeout} s`, again: true, cause };
    const because = (cause as Error).cause;
    const reason = because instanceof Error && because.message !== "" ? because.message : (cause as Error).message;
    return { reason: `cannot be reached: ${reason}`, again: true, cause };
  }
}

/** Seconds, of a number of seconds or a date. */
function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
