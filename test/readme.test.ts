import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../src/cli/commands.ts";
import { findHubIds, isCovered, parseMarkdownCommands, root } from "./markdown-commands.ts";
import { describePage } from "./run-page.ts";

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
  test("shows commands", () => {
    expect(steps.filter((step) => step.kind === "command").length).toBeGreaterThan(1);
  });

  test("its table of commands is the program's", () => {
    const table = /<!-- commands -->([\s\S]*?)<!-- \/commands -->/.exec(readme)?.[1] ?? "";
    const rows = [...table.matchAll(/^\| `spar (\S+)` \| (.+) \|$/gm)].map(([, name, does]) => [name, does]);
    expect(rows).toEqual(Object.entries(commands).map(([name, { summary }]) => [name, summary]));
  });
});

describePage("README.md");
