/** Calls back when files of a run grew, not more often than eyes need it. */
import { useEffect, useRef } from "preact/hooks";
import type { RunChange } from "../../../../src/server/ui/runs/protocol.ts";
import { subscribe } from "../../live.ts";

const least = 900;

/** `onChange` gets undefined where events may have been missed. */
export function useRunChanges(ids: readonly string[], onChange: (id: string, change: RunChange | undefined) => void): void {
  const current = useRef(onChange);
  current.current = onChange;
  useEffect(() => {
    const stops = ids.map((id) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      let latest: RunChange | undefined;
      let told = -Infinity;
      const tell = (change: RunChange | undefined): void => {
        latest = change;
        if (timer !== undefined) return;
        timer = setTimeout(
          () => {
            timer = undefined;
            told = performance.now();
            current.current(id, latest);
          },
          Math.max(0, told + least - performance.now()),
        );
      };
      const stop = subscribe<RunChange>(`run:${id}`, tell, { onGap: () => tell(undefined) });
      return () => {
        clearTimeout(timer);
        stop();
      };
    });
    return () => stops.forEach((stop) => stop());
  }, [ids.join("\n")]);
}
