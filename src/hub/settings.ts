import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** What the environment says, with the names and defaults of Python's huggingface_hub. */
export type HubSettings = { endpoint: string; cacheDir: string; token: string | undefined; offline: boolean };

/** The only place in spar that reads environment variables outside the CLI. */
export async function readHubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  const offline = [env.HF_HUB_OFFLINE, env.TRANSFORMERS_OFFLINE].some((value) => /^(1|on|yes|true)$/i.test(value ?? ""));
  return {
    endpoint: (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    cacheDir: env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(home, "hub"),
    token: env.HF_TOKEN?.trim() || env.HUGGING_FACE_HUB_TOKEN?.trim() || (await readTokenFile(env.HF_TOKEN_PATH ?? join(home, "token"))),
    offline,
  };
}

async function readTokenFile(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim() || undefined;
}
