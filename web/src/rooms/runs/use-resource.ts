/** What a component shows of the server's state: loaded, loaded again when what it depends on changes, kept while the next comes. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../../api.ts";

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** Asks again; calls while one is under way become one more. */
  reload(): void;
}

/** `load` is called anew when one of `dependencies` is another; what was there is kept. Another `version`: there is more of the same. */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, dependencies: readonly unknown[], version = ""): Resource<T> {
  const [state, setState] = useState<{ data: T | undefined; error: ApiError | undefined }>({ data: undefined, error: undefined });
  const current = useRef(load);
  current.current = load;
  const reloading = useRef<() => void>(() => {});

  useEffect(() => {
    const aborting = new AbortController();
    let isLoading = false;
    let isWanted = false;
    const run = async (): Promise<void> => {
      if (isLoading) {
        isWanted = true;
        return;
      }
      isLoading = true;
      try {
        const data = await current.current(aborting.signal);
        if (!aborting.signal.aborted) setState({ data, error: undefined });
      } catch (error) {
        if (aborting.signal.aborted) return;
        const shown = error instanceof ApiError ? error : new ApiError(0, "page", String(error));
        setState(({ data }) => ({ data, error: shown }));
      }
      isLoading = false;
      if (!isWanted) return;
      isWanted = false;
      void run();
    };
    reloading.current = () => void run();
    void run();
    return () => aborting.abort();
  }, dependencies);

  const seen = useRef(version);
  useEffect(() => {
    if (seen.current === version) return;
    seen.current = version;
    reloading.current();
  }, [version]);

  const reload = useCallback(() => reloading.current(), []);
  return { ...state, reload };
}
