import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "./commands/ui.ts";
import { resolveToken, type UIArguments } from "./open-ui.ts";
import { createCommandIO } from "./output.ts";

const io = createCommandIO({ json: false, debug: false, stdout: { write: () => {} }, stderr: { write: () => {} }, env: {} });
const withHost = (host: string, token?: string): UIArguments => ({
  port: 0,
  host,
  allowHost: [],
  open: false,
  ...(token === undefined ? {} : { token }),
});

describe("spar ui", () => {
  test("another address than this machine's own demands a token", () => {
    expect(() => resolveToken("ui", withHost("0.0.0.0"), true)).toThrow("--host 0.0.0.0 lets other machines in; expected a token");
    expect(() => resolveToken("ui", withHost("0.0.0.0"), true, "")).toThrow("expected a token");
    expect(resolveToken("ui", withHost("0.0.0.0"), true, "from-the-environment")).toBe("from-the-environment");
    expect(resolveToken("ui", withHost("127.0.0.1"), false)).toBeUndefined();
  });

  test("a token is long, stands in addresses as it is, and the flag wins over the environment", () => {
    for (const token of ["", "short", "fifteen-letters", "has spaces in it, many", "has&signs=of?addresses", "ünïcödé-ünïcödé-ü"]) {
      expect(() => resolveToken("ui", withHost("127.0.0.1", token), false), token).toThrow("--token: expected at least 16");
    }
    expect(resolveToken("ui", withHost("::1", "sixteen-letterss"), false, "other-other-other")).toBe("sixteen-letterss");
  });

  test("folders and files that are not there are errors before anything listens", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spar-ui-"));
    try {
      writeFileSync(join(folder, "file"), "");
      await expect(run(["--runs", join(folder, "nowhere")], io)).rejects.toThrow("expected a folder, found nothing");
      await expect(run(["--runs", join(folder, "file")], io)).rejects.toThrow("expected a folder, found a file");
      await expect(run(["--data", join(folder, "nowhere.jsonl")], io)).rejects.toThrow(/nowhere\.jsonl does not exist/);
      await expect(run(["--port", "99999"], io)).rejects.toThrow("--port: expected a whole number");
      for (const name of ["http://labels.example", "labels.example:8080", "a b", ""])
        await expect(run(["--allow-host", name], io), name).rejects.toThrow("--allow-host: expected a host name");
      await expect(run(["--host", "0.0.0.0", "--runs", folder], io)).rejects.toThrow("expected a token that they must know");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
