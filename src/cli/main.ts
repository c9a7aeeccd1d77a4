#!/usr/bin/env node
import { exitCodes } from "./output.ts";
import { runProgram } from "./program.ts";
import { readVersion } from "./version.ts";

let brokenPipe: "end" | "survive" = "end";

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // `spar … | head`: the reader has enough, which is no error.
    if (brokenPipe === "end") process.exit(exitCodes.ok);
  });
}

const code = await runProgram(process.argv.slice(2), {
  version: readVersion(),
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onInterrupt(listener) {
    process.on("SIGINT", listener);
    process.on("SIGTERM", listener);
  },
  exit: (exitCode) => process.exit(exitCode),
  onBrokenPipe(mode) {
    brokenPipe = mode;
  },
});

// Native threads of the engine would keep the process alive; standard output may still hold rows for a slow reader.
process.exitCode = code;
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))));
process.exit(code);
