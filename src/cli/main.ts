#!/usr/bin/env node
import { exitCodes, formatError } from "./output.ts";
import { runProgram } from "./program.ts";
import { readVersion } from "./version.ts";

/** What a command does when its output has gone: it goes on, or stops and saves. The others just end. */
let reactToLostOutput: (() => void) | undefined;
let isOutputLost = false;

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    const react = reactToLostOutput;
    // `spar … | head`: the reader has enough, which is no error.
    if (error.code === "EPIPE") return react === undefined ? process.exit(exitCodes.ok) : react();
    if (stream === process.stderr) process.exit(exitCodes.userError);
    if (!isOutputLost) process.stderr.write(`error: standard output cannot be written: ${error.message}\n`);
    isOutputLost = true;
    return react === undefined ? process.exit(exitCodes.userError) : react();
  });
}

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`${formatError(error, { debug: process.argv.includes("--debug"), paint: (_, text) => text })}\n`);
    process.exit(exitCodes.bug);
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
  onBrokenPipe(listener) {
    reactToLostOutput = listener;
  },
});

// Native threads of the engine would keep the process alive; standard output may still hold rows for a slow reader.
process.exitCode = code;
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))));
process.exit(isOutputLost ? exitCodes.userError : code);
