/** How the subcommands that talk with a Label Studio get to it. */

import { UsageError } from "../../../internal/errors.ts";
import type { StudioClient } from "../../../labeling/index.ts";
import { numberArgument, type Commandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";

export type Access = { url: string; token?: string; timeout: number };

export function addAccess(commandline: Commandline): Commandline {
  return commandline
    .requiredOption("--url <url>", "address of Label Studio")
    .requiredOption("--project <name>", "title of a project, or its number")
    .option("--token <token>", "token of Label Studio (or LABEL_STUDIO_API_KEY, which other users' ps does not show)")
    .option("--timeout <s>", "seconds that one request may take", numberArgument("--timeout", { above: 0, max: 3600 }), 60);
}

export async function openClient({ url, token, timeout }: Access, io: CommandIO): Promise<StudioClient> {
  const { createStudioClient } = await import("../../../labeling/index.ts");
  io.handleInterrupts("Stopping.");
  return createStudioClient({
    url,
    token: readToken(token),
    timeout,
    signal: io.signal,
    onRetry: (reason) => io.note(`Label Studio: ${reason}; trying again`),
  });
}

function readToken(token: string | undefined): string {
  const given = token ?? process.env["LABEL_STUDIO_API_KEY"] ?? "";
  if (given.trim() !== "") return given;
  throw new UsageError("label-studio: expected a token, found none", {
    hint: "Set LABEL_STUDIO_API_KEY, or give --token: it is in Label Studio under Account & Settings.",
  });
}

export function showProgress(io: CommandIO, verb: string): { update(done: number, total: number): void; end(): void } {
  let shown = false;
  return {
    update(done, total) {
      if (!io.isTerminal) return;
      shown = true;
      io.writeNote(`\r\x1b[K${verb} ${done} of ${total}`);
    },
    end() {
      if (shown) io.writeNote("\r\x1b[K");
    },
  };
}
