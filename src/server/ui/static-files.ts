/**
 * The page's files, all in memory: a request is a look-up among the names that were there at the start, so that no path
 * whatsoever leads out of the folder, and a build in between changes nothing under an open page.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { SparError } from "../../internal/errors.ts";

export interface StaticFiles {
  /** The text of a file; undefined where there is none of that path (`/index.html`). */
  text(path: string): string | undefined;
  /** Answers GET and HEAD for a path; undefined where there is no such file. */
  respond(path: string, headers: Headers): Promise<Response | undefined>;
}

interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer<ArrayBuffer>;
  readonly etag: string;
  /** Its name changes with its content, so a browser need never ask again. */
  readonly isHashed: boolean;
  readonly packed: Map<Encoding, Promise<Buffer<ArrayBuffer>>>;
}

type Encoding = "br" | "gzip";

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json",
};
const packable = new Set([".html", ".js", ".css", ".svg", ".json"]);
/** Smaller ones do not get smaller. */
const leastBytes = 512;

/** Reads `folder` with all below it. Throws `ui/not-built` where there is no index.html. */
export async function loadStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const extension = extname(entry.name);
    if (!entry.isFile() || !(extension in types)) continue;
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(folder, path).split(sep).join("/")}`;
    files.set(name, createFile(name, types[extension]!, await readFile(path)));
  }
  if (!files.has("/index.html")) {
    throw new SparError("ui/not-built", `the page's files are not there: expected ${join(folder, "index.html")}`, {
      hint: "In a clone: npm run build",
    });
  }
  return {
    text: (path) => files.get(path)?.bytes.toString("utf8"),
    async respond(path, headers) {
      const file = files.get(path);
      return file === undefined ? undefined : respond(file, headers);
    },
  };
}

function createFile(name: string, type: string, bytes: Buffer<ArrayBuffer>): StaticFile {
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { type, bytes, etag, isHashed: name.startsWith("/assets/"), packed: new Map() };
}

async function respond(file: StaticFile, asked: Headers): Promise<Response> {
  const { type, bytes, etag, isHashed } = file;
  const headers: { [name: string]: string } = {
    etag,
    vary: "accept-encoding",
    "cache-control": isHashed ? "private, max-age=31536000, immutable" : "no-cache",
  };
  const known = asked.get("if-none-match")?.split(",") ?? [];
  if (known.some((tag) => tag.trim().replace(/^W\//, "") === etag)) return new Response(null, { status: 304, headers });
  headers["content-type"] = type;
  const encoding = chooseEncoding(file, asked.get("accept-encoding") ?? "");
  if (encoding === undefined) return new Response(bytes, { headers });
  const packed = file.packed.get(encoding) ?? pack(bytes, encoding);
  file.packed.set(encoding, packed);
  return new Response(await packed, { headers: { ...headers, "content-encoding": encoding } });
}

function chooseEncoding({ type, bytes }: StaticFile, accepted: string): Encoding | undefined {
  const isPackable = [...packable].some((extension) => types[extension] === type);
  if (!isPackable || bytes.length < leastBytes) return undefined;
  const offers = accepted
    .split(",")
    .map((part) =>
      part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/),
    )
    .filter(([, weight]) => Number(weight ?? 1) > 0)
    .map(([name]) => name);
  return (["br", "gzip"] as const).find((encoding) => offers.includes(encoding));
}

async function pack(bytes: Buffer<ArrayBuffer>, encoding: Encoding): Promise<Buffer<ArrayBuffer>> {
  if (encoding === "gzip") return (await promisify(gzip)(bytes, { level: 9 })) as Buffer<ArrayBuffer>;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return (await promisify(brotliCompress)(bytes, { params })) as Buffer<ArrayBuffer>;
}
