import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadStaticFiles, type StaticFiles } from "./static-files.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-page-"));
const script = `// ${"a long comment ".repeat(100)}\n`;
let files: StaticFiles;

beforeAll(async () => {
  mkdirSync(join(folder, "page/assets"), { recursive: true });
  writeFileSync(join(folder, "secret.html"), "secret");
  writeFileSync(join(folder, "page/index.html"), "<!doctype html>");
  writeFileSync(join(folder, "page/assets/app-abc.js"), script);
  writeFileSync(join(folder, "page/.env"), "TOKEN=1");
  symlinkSync(join(folder, "secret.html"), join(folder, "page/link.html"));
  symlinkSync(folder, join(folder, "page/up"));
  files = await loadStaticFiles(join(folder, "page"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const get = (path: string, headers: { [name: string]: string } = {}) => files.respond(path, new Headers(headers));

describe("static files", () => {
  test("a file comes with its type, and again only when it has changed", async () => {
    const answer = (await get("/index.html"))!;
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([
      200,
      "text/html; charset=utf-8",
      "no-cache",
    ]);
    expect(await answer.text()).toBe("<!doctype html>");
    const etag = answer.headers.get("etag")!;
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`])
      expect((await get("/index.html", { "if-none-match": tag }))!.status).toBe(304);
    expect((await get("/index.html", { "if-none-match": '"other"' }))!.status).toBe(200);
  });

  test("named by their content, they are kept for ever; packed as the browser can unpack them", async () => {
    const plain = (await get("/assets/app-abc.js"))!;
    expect(plain.headers.get("cache-control")).toContain("immutable");
    expect(plain.headers.get("content-encoding")).toBeNull();
    for (const [accept, encoding, unpack] of [
      ["gzip, deflate, br", "br", brotliDecompressSync],
      ["gzip", "gzip", gunzipSync],
      ["br;q=0, GZIP;q=0.5", "gzip", gunzipSync],
    ] as const) {
      const answer = (await get("/assets/app-abc.js", { "accept-encoding": accept }))!;
      expect(answer.headers.get("content-encoding")).toBe(encoding);
      const bytes = Buffer.from(await answer.arrayBuffer());
      expect(bytes.length).toBeLessThan(200);
      expect(unpack(bytes).toString()).toBe(script);
    }
  });

  test("links, hidden files and paths that leave the folder are not there", async () => {
    const paths = ["/link.html", "/up/secret.html", "/.env", "/../secret.html", "/%2e%2e/secret.html", "/assets/../../secret.html"];
    for (const path of [...paths, "//index.html", "/index.html\0", "\\..\\secret.html", "", "/", "/assets"]) {
      expect(await get(path), path).toBeUndefined();
    }
  });

  test("a page that was not built is an error with a hint", async () => {
    for (const path of [join(folder, "page/assets"), join(folder, "nowhere")]) {
      await expect(loadStaticFiles(path)).rejects.toMatchObject({ code: "ui/not-built" });
    }
  });
});
