/** The real Label Studio on a free port, with a folder of its own, and calls to its API that do not go through spar. */
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const studioToken = "0123456789abcdef0123456789abcdef01234567";

export interface RealStudio {
  readonly url: string;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  text(path: string): Promise<string>;
  stop(): void;
}

/** @param python of the environment that Label Studio is installed in */
export async function startLabelStudio(python: string, folder: string): Promise<RealStudio> {
  const port = await findFreePort();
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "log.txt");
  const output = openSync(log, "w");
  const child = spawn(
    join(dirname(python), "label-studio"),
    ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", String(port)],
    {
      stdio: ["ignore", output, output],
      // Its server is a child of its own; the whole group is ended.
      detached: true,
      env: {
        ...process.env,
        LABEL_STUDIO_BASE_DATA_DIR: folder,
        LABEL_STUDIO_USERNAME: "me@localhost.com",
        LABEL_STUDIO_PASSWORD: "a-long-password",
        LABEL_STUDIO_USER_TOKEN: studioToken,
        LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN: "true",
        COLLECT_ANALYTICS: "false",
        // Else it refuses backends on this machine.
        ML_BLOCK_LOCAL_IP: "false",
        SSRF_PROTECTION_ENABLED: "false",
        LABEL_STUDIO_LATEST_VERSION_CHECK: "false",
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = (): void => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // Ended by itself.
    }
  };
  for (let tries = 0; ; tries++) {
    const isUp = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) break;
    if (tries > 540 || child.exitCode !== null) {
      stop();
      throw new Error(`Label Studio did not start:\n${readFileSync(log, "utf8").slice(-4000)}`);
    }
    await sleep(500);
  }
  const send = async (method: string, path: string, body?: unknown): Promise<string> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Token ${studioToken}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 600)}`);
    return text;
  };
  return {
    url,
    stop,
    async call<T>(method: string, path: string, body?: unknown) {
      const text = await send(method, path, body);
      return (text === "" ? undefined : JSON.parse(text)) as T;
    },
    text: (path) => send("GET", path),
  };
}

function findFreePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
