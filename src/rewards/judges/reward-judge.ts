/** Anything that scores rows as judge: a rule, a reward model, a module, a service. */
import { createGradingJudge, type GradeRequest, type Judge } from "../judge.ts";
import type { RewardFunction, RewardRow } from "../reward.ts";

/** Requests that are scored at a time, so that progress shows and an abort is heeded. */
const atATime = 256;

/** The reward is the judge's to release. Where it does not apply to an answer (null), the grade is void. */
export function createRewardJudge(
  reward: RewardFunction,
  { name = reward.name, tieWithin }: { readonly name?: string; readonly tieWithin?: number | undefined } = {},
): Judge {
  return createGradingJudge(
    {
      name,
      range: undefined,
      async grade(requests, { signal, onProgress } = {}) {
        const scores: (number | null)[] = [];
        for (let start = 0; start < requests.length; start += atATime) {
          signal?.throwIfAborted();
          const rows = requests.slice(start, start + atATime).map(toRow);
          scores.push(...(await reward.score(rows, { ...(signal && { signal }) })));
          onProgress?.(scores.length, requests.length);
        }
        return scores.map((score) => ({ score, judgements: [score], retries: 0 }));
      },
      ...(reward.release === undefined ? {} : { release: () => reward.release?.() }),
    },
    { tieWithin },
  );
}

/** Texts only: whoever needs ids tokenises them. */
function toRow({ prompt, answer, columns = {} }: GradeRequest): RewardRow {
  return { ...columns, prompt, completion: answer, prompt_ids: [], completion_ids: [] };
}
