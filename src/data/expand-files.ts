import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { SparError } from "../internal/errors.ts";
import { wrapFileError } from "./file-bytes.ts";

const MAGIC = /[*?[{]/;

/**
 * The files that `pattern` means: a file itself; for a folder all files in and under it; for a glob
 * (`*`, `**`, `?`, `[ab]`, `{a,b}`) what matches. Sorted by name, hidden files left out.
 */
export async function expandFiles(pattern: string): Promise<string[]> {
  const kind = await stat(pattern).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw wrapFileError(pattern, cause);
  });
  if (kind?.isDirectory()) {
    const files = await listFolder(pattern);
    if (files.length === 0) throw new SparError("data/empty", `reading data: the folder ${pattern} is empty`);
    return files;
  }
  if (kind) return [pattern];
  if (!MAGIC.test(pattern)) throw wrapFileError(pattern, Object.assign(new Error("no such file"), { code: "ENOENT" }));

  const steps = pattern.split("/");
  const firstMagic = steps.findIndex((step) => MAGIC.test(step));
  const root = steps.slice(0, firstMagic).join("/") || (pattern.startsWith("/") ? "/" : ".");
  const matches = compileGlob(pattern);
  const all = await listFolder(root).catch(() => []);
  const files = all.filter((file) => matches.test(file));
  if (files.length === 0) {
    throw new SparError("data/not-found", `reading data: no file matches ${pattern}`, {
      hint: `${all.length} files are under ${root}; paths are relative to the folder the command is started in`,
    });
  }
  return files;
}

/** All files in and under a folder, sorted, hidden ones left out. */
export async function listFolder(folder: string): Promise<string[]> {
  const files: string[] = [];
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw wrapFileError(folder, cause);
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = folder === "." ? entry.name : join(folder, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isDirectory());
    if (isFolder) files.push(...(await listFolder(path)));
    else files.push(path);
  }
  return files;
}

/** A glob as a regular expression over whole paths with `/`. */
export function compileGlob(pattern: string): RegExp {
  const glob = pattern.replace(/^(\.\/)+/, "").replace(/\/{2,}/g, "/");
  let source = "";
  let braces = 0;
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!;
    if (char === "*") {
      if (glob[i + 1] === "*") {
        const wholeStep = (i === 0 || glob[i - 1] === "/") && glob[i + 2] === "/";
        source += wholeStep ? "(?:.*/)?" : ".*";
        i += wholeStep ? 2 : 1;
      } else source += "[^/]*";
    } else if (char === "?") source += "[^/]";
    else if (char === "[" && glob.indexOf("]", i + 2) > 0) {
      const end = glob.indexOf("]", i + 2);
      const body = glob
        .slice(i + 1, end)
        .replace(/^!/, "^")
        .replace(/\\/g, "\\\\")
        .replace(/\[/g, "\\[");
      source += `[${body}]`;
      i = end;
    } else if (char === "{" && glob.indexOf("}", i) > 0) {
      braces++;
      source += "(?:";
    } else if (char === "}" && braces > 0) {
      braces--;
      source += ")";
    } else if (char === "," && braces > 0) source += "|";
    else source += char.replace(/[\\^$+.()|[\]{}]/, "\\$&");
  }
  return new RegExp(`^(?:\\./)?${source}$`);
}
