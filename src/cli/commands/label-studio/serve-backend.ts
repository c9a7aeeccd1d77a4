import { UsageError } from "../../../internal/errors.ts";
import { addAllowHostOption, createCommandline, numberArgument, parseCommandline } from "../../arguments.ts";
import type { CommandIO } from "../../output.ts";

export async function run(args: string[], io: CommandIO): Promise<void> {
  const commandline = await createCommandline(
    "label-studio backend",
    "Serves a reward model by Label Studio's ML backend protocol: connect it under Settings, Model, and it chooses the better answer beforehand, with how sure it is as the score.",
    [
      "spar label-studio backend --model runs/reward",
      "SPAR_BACKEND_AUTH=me:secret spar label-studio backend --model runs/reward --host 0.0.0.0 --allow-host labels.example.org",
    ],
    io,
  );
  commandline
    .requiredOption("--model <model>", "a reward model: a folder or a hub id")
    .option("--port <n>", "port to listen on; 0: any free one", numberArgument("--port", { integer: true, min: 0, max: 65535 }), 9090)
    .option("--host <address>", "address to listen on; other than this machine's own needs SPAR_BACKEND_AUTH", "127.0.0.1");
  addAllowHostOption(commandline, "a further host name that requests may be addressed to, such as host.docker.internal");
  commandline.option(
    "--batch-size <n>",
    "answers computed at the same time",
    numberArgument("--batch-size", { integer: true, min: 1, max: 256 }),
    16,
  );
  if (!parseCommandline(commandline, args)) return;
  const options = commandline.opts<{ model: string; port: number; host: string; allowHost: string[]; batchSize: number }>();
  const auth = process.env["SPAR_BACKEND_AUTH"] ?? "";
  if (auth !== "" && !/^[^:]+:.+$/.test(auth)) throw new UsageError("label-studio backend: SPAR_BACKEND_AUTH: expected USER:PASSWORD");
  const { createStudioBackend, isLoopback, listen } = await import("../../../server/index.ts");
  if (!isLoopback(options.host) && auth === "")
    throw new UsageError(
      `label-studio backend: --host ${options.host} lets other machines in; expected a name and a password that they must know, found none`,
      {
        hint: "Set SPAR_BACKEND_AUTH=USER:PASSWORD, and give both to Label Studio (Basic authentication); or leave --host away.",
      },
    );
  const [{ resolveModelFolder }, { loadModelReward }, { createCpuBackend }, { loadTokenizer }] = await Promise.all([
    import("../../open-model.ts"),
    import("../../../rewards/index.ts"),
    import("../../../runtime/index.ts"),
    import("../../../tokenizer/index.ts"),
  ]);
  const folder = await resolveModelFolder(options.model, io);
  const backend = createCpuBackend();
  try {
    const tokenizer = await loadTokenizer(folder);
    const reward = await loadModelReward(folder, backend, { batchSize: options.batchSize, encodeTexts: true });
    const app = createStudioBackend({
      hosts: [options.host, ...options.allowHost],
      anyAddress: !isLoopback(options.host),
      basicAuth: auth,
      maxBytes: 64 * 2 ** 20,
      model: {
        name: options.model,
        folder,
        hasChatTemplate: tokenizer.hasChatTemplate,
        score: (rows, signal) => reward.score(rows, { signal }),
      },
      onError: (error) => io.note(`error: ${error instanceof Error ? error.message : String(error)}`),
    });
    const server = await listen(app, { host: options.host, port: options.port, idleTimeout: 600 });
    io.handleBrokenPipe("go-on");
    io.handleInterrupts("Stopping.");
    if (io.json) io.row({ url: server.url, port: server.port, model: options.model });
    else
      io.say(
        `${io.paint(1, options.model)} chooses at ${io.paint(36, server.url)}: connect that address in Label Studio (Settings, Model${auth === "" ? "" : ", with Basic authentication"}). Ctrl-C stops.`,
      );
    await new Promise<void>((end) => {
      if (io.signal.aborted) end();
      io.signal.addEventListener("abort", () => end());
    });
    await server.close();
    reward.release?.();
  } finally {
    backend.close();
  }
}
