import { relative } from "node:path";

/** As people who stand in the current folder name it: from there where it lies below, else whole. */
export function showPath(path: string): string {
  const near = relative("", path);
  return near.startsWith("..") ? path : near;
}
