/** Which columns of a source are shown before anybody has chosen. */
import type { SampleColumn } from "./columns.ts";
import { listRowKeys } from "./grid.ts";

/**
 * The last column, and before it the one that shares most prompts with it, the earliest where several do. Alone where no other
 * has at least half of its prompts: steps of PPO draw their own, and beside each other they would be empty cells.
 */
export function pickFirstColumns<Column extends Pick<SampleColumn, "texts">>(columns: readonly Column[]): Column[] {
  const last = columns.at(-1);
  if (last === undefined) return [];
  const keys = new Set(listRowKeys(last.texts));
  let best: Column | undefined;
  let most = 0;
  for (const column of columns.slice(0, -1)) {
    const shared = listRowKeys(column.texts).filter((key) => keys.has(key)).length;
    if (shared <= most || 2 * shared < Math.min(keys.size, column.texts.length)) continue;
    best = column;
    most = shared;
  }
  return best === undefined ? [last] : [best, last];
}
