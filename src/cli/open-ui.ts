/** What `spar ui` and `spar label` share: the page on a port of this machine, until Ctrl-C. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../internal/errors.ts";
import type { LabelProject } from "../labeling/index.ts";
import type { RoomName } from "../server/index.ts";
import { addAllowHostOption, numberArgument, type Commandline } from "./arguments.ts";
import type { CommandIO } from "./output.ts";
import { readVersion } from "./version.ts";

export type UIArguments = {
  /** 0: any free one. */
  port: number;
  host: string;
  token?: string;
  allowHost: string[];
  /** False with --no-open. */
  open: boolean;
};

export interface OpenUIOptions {
  /** For messages: `ui`, `label`. */
  readonly command: string;
  readonly args: UIArguments;
  readonly rooms: readonly RoomName[];
  /** Absolute paths; see Workspace. */
  readonly runsFolders: readonly string[];
  readonly dataFiles: readonly string[];
  readonly models: readonly string[];
  /** Closed at the end. */
  readonly projects: readonly LabelProject[];
  /** A line under the address: what is there to see. */
  readonly summary: string;
}

const leastTokenLength = 16;

export function addUIOptions(commandline: Commandline): void {
  commandline
    .option(
      "--port <n>",
      "port to listen on; 0: any free one (absent: the same one each time, where it is free)",
      numberArgument("--port", { integer: true, min: 0, max: 65535 }),
    )
    .option("--host <address>", "address to listen on; other than this machine's own needs --token", "127.0.0.1")
    .option("--token <token>", "what browsers must know, at least 16 characters (or SPAR_UI_TOKEN; absent: a new random one)")
    .option("--no-open", "do not open a browser");
  addAllowHostOption(commandline, "a further host name by which browsers may call the server");
}

/** The token that was given, or undefined for a new one. Throws UsageError where it is too weak, or missing for other machines. */
export function resolveToken(
  command: string,
  { host, token }: UIArguments,
  isPublic: boolean,
  fromEnvironment?: string,
): string | undefined {
  const given = token ?? (fromEnvironment === "" ? undefined : fromEnvironment);
  if (given === undefined && isPublic) {
    throw new UsageError(`${command}: --host ${host} lets other machines in; expected a token that they must know, found none`, {
      hint: "Add --token TOKEN or set SPAR_UI_TOKEN; or leave --host away, and only this machine can reach the page.",
    });
  }
  if (given !== undefined && (given.length < leastTokenLength || !/^[\w.~-]+$/.test(given))) {
    throw new UsageError(
      `${command}: --token: expected at least ${leastTokenLength} letters, digits, or any of . _ ~ -, found ${given.length} characters`,
      { hint: "Leave it away for a random one; or make one: openssl rand -hex 16" },
    );
  }
  return given;
}

/** Listens, says where, opens a browser where one may look, and serves until the command is interrupted. */
export async function openUI(options: OpenUIOptions, io: CommandIO): Promise<void> {
  let isTaken = false;
  try {
    await serve(options, io, () => (isTaken = true));
  } finally {
    // Once the rooms are open, they close what is labelled in them.
    if (!isTaken) await Promise.allSettled(options.projects.map((project) => project.close()));
  }
}

async function serve(options: OpenUIOptions, io: CommandIO, onRooms: () => void): Promise<void> {
  const { command, args, rooms: names, runsFolders, dataFiles, models, projects, summary } = options;
  const { createEventHub, createUIApp, isLoopback, listen, loadStaticFiles, openRooms } = await import("../server/index.ts");
  const isPublic = !isLoopback(args.host);
  const token = resolveToken(command, args, isPublic, process.env["SPAR_UI_TOKEN"]) ?? randomBytes(24).toString("base64url");
  const root = process.cwd();
  const onError = (error: unknown): void =>
    io.note(`error: ${error instanceof Error ? ((io.debug ? error.stack : undefined) ?? error.message) : String(error)}`);
  const hub = createEventHub({ onError });
  const files = await loadStaticFiles(findPage());
  const { rooms, close } = await openRooms({ names, workspace: { root, runsFolders, dataFiles, models, hub }, projects, onError });
  onRooms();
  try {
    const hosts = [args.host, ...args.allowHost];
    const ticket = mayOpen(args, io) ? randomBytes(24).toString("base64url") : undefined;
    const app = createUIApp({
      hub,
      files,
      rooms,
      token,
      ticket,
      hosts,
      onError,
      anyAddress: isPublic,
      version: readVersion(),
      folder: shorten(root),
    });
    const server = await listen(app, { host: args.host, port: args.port, idleTimeout: 120, maxConnections: 2000 });
    try {
      io.handleBrokenPipe("go-on");
      io.handleInterrupts("Stopping.");
      const address = `${server.url}/?token=${token}`;
      if (io.json) io.row({ url: address, origin: server.url, port: server.port, token });
      else {
        io.say(`${io.paint(1, "spar")} is open at ${io.paint(36, address)}`);
        io.say(`${summary} ${isPublic ? "Whoever knows the token may use it." : "Only this machine can reach it."} Ctrl-C stops.`);
      }
      if (ticket !== undefined) openBrowser(`${server.url}/?token=${ticket}`);
      await new Promise<void>((end) => {
        if (io.signal.aborted) end();
        io.signal.addEventListener("abort", () => end());
      });
    } finally {
      await server.close();
    }
  } finally {
    hub.close();
    await close();
  }
}

/** Built beside the commands; while spar runs from its sources, in dist/ all the same. */
function findPage(): string {
  const built = fileURLToPath(new URL("../ui", import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL("../../dist/ui", import.meta.url));
}

function shorten(path: string): string {
  const home = homedir();
  return path === home || path.startsWith(home + sep) ? `~${path.slice(home.length)}` : path;
}

/** Where somebody sits who would see it. Without a display, Linux would open a browser of letters in this terminal. */
function mayOpen({ open }: UIArguments, io: CommandIO): boolean {
  const { DISPLAY: x11, WAYLAND_DISPLAY: wayland } = process.env;
  const hasDisplay = process.platform !== "linux" || [x11, wayland].some((name) => name !== undefined && name !== "");
  return open && io.isTerminal && !io.json && hasDisplay;
}

/** By whatever the platform opens addresses with. Fails silently: the address is on the screen. */
function openBrowser(address: string): void {
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", address]
      : process.platform === "win32"
        ? ["rundll32", "url.dll,FileProtocolHandler", address]
        : ["xdg-open", address];
  const child = spawn(program!, args, { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
