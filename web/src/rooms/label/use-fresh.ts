/** What the server has counted: asked for at once, and again when something has changed, but not more often than people read. */
import { useEffect, useRef, useState } from "preact/hooks";
import { showError } from "../../components/toast.tsx";

const pause = 2000;

/** Null until the first answer. */
export function useFresh<T>(load: () => Promise<T>, changes: number): T | null {
  const [value, setValue] = useState<T | null>(null);
  const last = useRef(-Infinity);
  useEffect(() => {
    let isCurrent = true;
    const ask = (): void => {
      last.current = performance.now();
      load().then((answer) => {
        if (isCurrent) setValue(answer);
      }, showError);
    };
    const timer = setTimeout(ask, Math.max(0, last.current + pause - performance.now()));
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [changes]);
  return value;
}
