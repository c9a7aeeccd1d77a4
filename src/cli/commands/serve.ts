/** `spar serve`: a model behind OpenAI's protocol, for programs on this machine. */

import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { UsageError } from "../../internal/errors.ts";
import { addAllowHostOption, addRepeatedOption, createCommandline, numberArgument, parseCommandline } from "../arguments.ts";
import { openModel, resolveModelFolder, resolveSampling } from "../open-model.ts";
import type { CommandIO } from "../output.ts";

export type ServeArguments = {
  model: string;
  /** What requests call the model; absent: what --model says, or the last part of a path. */
  name?: string;
  port: number;
  host: string;
  apiKey: string[];
  allowHost: string[];
  batchSize: number;
  maxWaiting: number;
  maxBytes: number;
  timeout: number;
};

const examples = [
  "spar serve --model HuggingFaceTB/SmolLM2-135M-Instruct",
  "spar serve --model runs/ppo --port 8001 --name mine",
  "SPAR_API_KEY=… spar serve --model runs/sft --host 0.0.0.0",
  `curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Hello"}], "stream": true}'`,
];

/** Undefined when help was asked for and shown. */
export async function parseServeArguments(args: string[], io: CommandIO): Promise<ServeArguments | undefined> {
  const summary =
    "Serves a model by OpenAI's protocol: /v1/chat/completions, /v1/completions, /v1/models, /health. Requests that come together are computed together.";
  const whole = (option: string, max: number, min = 1) => numberArgument(option, { integer: true, min, max });
  const commandline = await createCommandline("serve", summary, examples, io);
  commandline
    .requiredOption("--model <model>", "a model: a folder, a .gguf file or a hub id")
    .option("--name <name>", "what requests call the model (absent: its id, or the folder's name)")
    .option("--port <n>", "port to listen on; 0: any free one", whole("--port", 65535, 0), 8000)
    .option("--host <address>", "address to listen on; other than this machine's own needs --api-key", "127.0.0.1");
  addRepeatedOption(
    commandline,
    "--api-key <key>",
    "a key that requests must carry (or SPAR_API_KEY, which other users' ps does not show)",
  );
  addAllowHostOption(commandline, "a further host name that requests may be addressed to");
  commandline
    .option("--batch-size <n>", "completions computed at the same time", whole("--batch-size", 256), 8)
    .option(
      "--max-waiting <n>",
      "completions that may wait; further requests are told to come back (429)",
      whole("--max-waiting", 1e6),
      256,
    )
    .option("--max-bytes <n>", "the largest request", whole("--max-bytes", 2 ** 30), 1_048_576)
    .option("--timeout <s>", "seconds that an answer may take", numberArgument("--timeout", { above: 0, max: 86_400 }), 600);
  return parseCommandline(commandline, args) ? commandline.opts<ServeArguments>() : undefined;
}

export async function run(args: string[], io: CommandIO): Promise<void> {
  const options = await parseServeArguments(args, io);
  if (options === undefined) return;
  const [{ createLiveGenerator }, { loadTokenizer }, { createOpenAIApp, isLoopback, listen }] = await Promise.all([
    import("../../generation/index.ts"),
    import("../../tokenizer/index.ts"),
    import("../../server/index.ts"),
  ]);
  const fromEnvironment = process.env["SPAR_API_KEY"];
  const apiKeys = [...options.apiKey, ...(fromEnvironment === undefined || fromEnvironment === "" ? [] : [fromEnvironment])];
  if (apiKeys.some((key) => key === "")) throw new UsageError("serve: --api-key: expected a key, found an empty text");
  const isPublic = !isLoopback(options.host);
  if (isPublic && apiKeys.length === 0)
    throw new UsageError(`serve: --host ${options.host} lets other machines in; expected a key that they must know, found none`, {
      hint: "Add --api-key KEY or set SPAR_API_KEY; or leave --host away, and only this machine can reach the model.",
    });
  const folder = await resolveModelFolder(options.model, io);
  const tokenizer = await loadTokenizer(folder);
  const opened = await openModel(folder);
  try {
    const { model, backend } = opened;
    const settings = await resolveSampling({ seed: 0, stop: [] }, folder, model.config.raw, tokenizer);
    const generator = createLiveGenerator(model, backend, { tokenizer, maxBatch: options.batchSize });
    const id = options.name ?? nameOf(options.model);
    const { maxWaiting, maxBytes, timeout } = options;
    const app = createOpenAIApp({
      model: { id, tokenizer, generator, settings, maxPositions: model.config.maxPositions },
      hosts: [options.host, ...options.allowHost],
      anyAddress: isPublic,
      apiKeys,
      maxWaiting,
      maxBytes,
      timeout,
      onError: (error) => io.note(`error: ${error instanceof Error ? error.message : String(error)}`),
    });
    const server = await listen(app, { host: options.host, port: options.port, idleTimeout: timeout + 60 });
    io.handleBrokenPipe("go-on");
    io.handleInterrupts("Stopping.");
    const base = `${server.url}/v1`;
    if (io.json) io.row({ url: server.url, base_url: base, port: server.port, model: id, max_model_len: model.config.maxPositions });
    else io.say(describeServer(base, id, tokenizer.hasChatTemplate, isPublic, io));
    await new Promise<void>((end) => {
      if (io.signal.aborted) end();
      io.signal.addEventListener("abort", () => end());
    });
    await server.close();
    await generator.close();
  } finally {
    opened.close();
  }
}

/** A path's last part; a hub id as it is, without a revision. */
function nameOf(model: string): string {
  if (!existsSync(model)) return model.split("@")[0];
  return basename(resolve(model)).replace(/\.gguf$/, "") || "model";
}

function describeServer(base: string, id: string, hasChat: boolean, isPublic: boolean, io: CommandIO): string {
  return [
    `${io.paint(1, id)} answers at ${io.paint(36, base)}${isPublic ? ", to whoever knows a key" : ", for this machine only"}`,
    hasChat
      ? "POST /chat/completions or /completions; GET /models. Ctrl-C stops."
      : "It has no chat template: POST /completions; GET /models. Ctrl-C stops.",
  ].join("\n");
}
