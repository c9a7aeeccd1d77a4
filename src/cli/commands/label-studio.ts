/** `spar label-studio`: tasks to Label Studio, labels from there, and a reward model that labels beforehand. */

import { UsageError } from "../../internal/errors.ts";
import type { Command } from "../commands.ts";
import type { CommandIO } from "../output.ts";

type Subcommand = { summary: string; load: () => Promise<Command> };

const subcommands: { readonly [name: string]: Subcommand } = {
  config: { summary: "print the labeling configuration to paste into a project", load: () => import("./label-studio/print-config.ts") },
  push: { summary: "upload tasks to a project, which is made where it is not there", load: () => import("./label-studio/push.ts") },
  pull: { summary: "get the labels: preference pairs, and every label as it was given", load: () => import("./label-studio/pull.ts") },
  status: { summary: "how far a project is", load: () => import("./label-studio/show-status.ts") },
  tasks: { summary: "write a file to import by hand", load: () => import("./label-studio/write-tasks.ts") },
  read: { summary: "make pairs of an exported file: JSON, JSON_MIN, CSV or TSV", load: () => import("./label-studio/read-export.ts") },
  backend: {
    summary: "serve a reward model that chooses beforehand, by the ML backend protocol",
    load: () => import("./label-studio/serve-backend.ts"),
  },
};

const rootExamples = [
  "spar label-studio push --url http://localhost:8080 --project answers --data tasks.jsonl",
  "spar label-studio pull --url http://localhost:8080 --project answers --out pairs.jsonl",
  "spar label-studio read export.json --out pairs.jsonl",
];

export async function run(args: string[], io: CommandIO): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    if (name === undefined)
      throw new UsageError("label-studio: expected what to do: " + Object.keys(subcommands).join(", "), {
        hint: "spar label-studio --help says more.",
      });
    io.say(renderHelp(io));
    return;
  }
  if (!Object.hasOwn(subcommands, name)) {
    const { findNearest } = await import("../../recipes/index.ts");
    const nearest = findNearest(name, Object.keys(subcommands));
    throw new UsageError(`label-studio: ${name}: expected one of ${Object.keys(subcommands).join(", ")}`, {
      hint: nearest === undefined ? "spar label-studio --help says more." : `Did you mean ${nearest}?`,
    });
  }
  await (await subcommands[name].load()).run(rest, io);
}

function renderHelp(io: CommandIO): string {
  const width = Math.max(...Object.keys(subcommands).map((name) => name.length));
  return [
    "usage: spar label-studio COMMAND [options]",
    "",
    "Exchanges tasks and labels with Label Studio (https://labelstud.io), on this machine or elsewhere. Its token is taken from",
    "LABEL_STUDIO_API_KEY or --token: a legacy token or a personal access token, from Account & Settings there.",
    "",
    ...Object.entries(subcommands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "spar label-studio COMMAND --help lists the options.",
    "",
    io.paint(1, "examples:"),
    ...rootExamples.map((example) => `  ${example}`),
  ].join("\n");
}
