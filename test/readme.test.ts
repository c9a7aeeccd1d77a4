import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "../src/cli/commands.ts";
import { type HubServer, startHubServer } from "./fixtures/hub-server.ts";
import { findHubIds, isCovered, openScratchClone, parseMarkdownCommands, root, writePageFile } from "./markdown-commands.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const steps = parseMarkdownCommands(readme);

describe("reading commands out of a page", () => {
  const page = [
    "<!-- file: a/b.yaml -->",
    "```yaml",
    "x: 1",
    "```",
    "```bash",
    "# a comment",
    "npx spar sft \\",
    "  --config a/b.yaml   # the rest",
    "echo 'a#b'",
    "```",
    "```json",
    "{}",
    "```",
    "<!-- covered by .ci/run -->",
    "```bash",
    "npm test",
    "```",
  ].join("\n");

  test("files, joined lines, comments and cover", () => {
    expect(parseMarkdownCommands(page)).toEqual([
      { kind: "file", line: 2, name: "a/b.yaml", content: "x: 1\n" },
      { kind: "command", line: 5, command: "npx spar sft --config a/b.yaml" },
      { kind: "command", line: 5, command: "echo 'a#b'" },
      { kind: "command", line: 15, command: "npm test", coveredBy: ".ci/run" },
    ]);
  });

  test("hub ids are what follows a model's flag and is no folder here", () => {
    const read = (command: string): string[] => findHubIds([{ kind: "command", line: 1, command }]);
    expect(read("npx spar chat --model org/Name-1.5@main --seed 1")).toEqual(["org/Name-1.5"]);
    expect(read("npx spar generate --model=org/name")).toEqual(["org/name"]);
    expect(read("npx spar sft --model_name_or_path src/models --output_dir runs/a")).toEqual([]);
    expect(read("npx spar chat --model runs/quickstart")).toEqual([]);
  });

  test("cover means word for word", () => {
    expect(isCovered("check test", ".ci/run")).toBe(true);
    expect(isCovered("npm run nothing", ".ci/run")).toBe(false);
    expect(isCovered("npm test", "no/such/file")).toBe(false);
  });
});

describe("README", () => {
  test("links lead to files that exist", () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(3);
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  test("shows commands", () => {
    expect(steps.filter((step) => step.kind === "command").length).toBeGreaterThan(1);
  });

  test("its table of commands is the program's", () => {
    const table = /<!-- commands -->([\s\S]*?)<!-- \/commands -->/.exec(readme)?.[1] ?? "";
    const rows = [...table.matchAll(/^\| `spar (\S+)` \| (.+) \|$/gm)].map(([, name, does]) => [name, does]);
    expect(rows).toEqual(Object.entries(commands).map(([name, { summary }]) => [name, summary]));
  });
});

describe.skipIf(process.platform === "win32")("README, command by command", () => {
  let clone: ReturnType<typeof openScratchClone>;
  let hub: HubServer | undefined;
  beforeAll(async () => {
    // Every hub id of the page leads to a small model under that name, on a server that speaks the hub's protocol.
    const small = join(root, "test/fixtures/parity/models/stories260K");
    const ids = findHubIds(steps);
    if (ids.length > 0) hub = await startHubServer({ models: Object.fromEntries(ids.map((id) => [id, small])) });
    clone = openScratchClone(hub === undefined ? {} : { HF_ENDPOINT: hub.url, HF_TOKEN: "", HF_HUB_OFFLINE: "" });
  });
  afterAll(async () => {
    clone.remove();
    await hub?.close();
  });

  for (const step of steps) {
    if (step.kind === "file") {
      test(`line ${step.line}: writes ${step.name}`, () => {
        writePageFile(clone.folder, step.name, step.content);
        expect(existsSync(join(clone.folder, step.name))).toBe(true);
      });
    } else if (step.coveredBy !== undefined) {
      const by = step.coveredBy;
      test(`line ${step.line}: ${by} runs: ${step.command}`, () => {
        expect(isCovered(step.command, by), `${by} must run this line of README.md: ${step.command}`).toBe(true);
      });
    } else {
      test(`line ${step.line}: ${step.command}`, { timeout: 120_000 }, async () => {
        const { code, output } = await clone.run(step.command, 115_000);
        expect(code, output.slice(-4000)).toBe(0);
      });
    }
  }
});
