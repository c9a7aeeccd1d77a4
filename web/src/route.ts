/** Where in the page we are: `#/ROOM/rest`. */
import { useEffect, useState } from "preact/hooks";

export interface Route {
  readonly room: string;
  readonly rest: string;
}

export function parseRoute(hash: string): Route {
  const [, room = "", rest = ""] = /^#?\/?([^/?]*)(?:\/(.*))?/s.exec(hash) ?? [];
  return { room, rest };
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const update = () => setHash(location.hash);
    update();
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return parseRoute(hash);
}

/** Goes to `path` (`runs/ppo`); `replace` leaves no step to go back to. */
export function goTo(path: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (replace) location.replace(`#/${path}`);
  else location.hash = `#/${path}`;
}
