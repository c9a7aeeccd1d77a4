/** The environment variables of the trackers' own clients, for those who have set them already. */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TrackerSettings } from "../tracking/index.ts";

type Environment = { readonly [name: string]: string | undefined };

const wandbUrl = "https://api.wandb.ai";

/** The password of a host in the text of a netrc file; a `default` entry counts for all. */
export function findNetrcPassword(text: string, host: string): string | undefined {
  const words = text.replaceAll(/^\s*#.*$/gm, "").match(/\S+/g) ?? [];
  let applies = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "machine") applies = words[++i] === host;
    else if (word === "default") applies = true;
    else if (word === "password") {
      const password = words[++i];
      if (applies) return password;
    } else if (word === "login" || word === "account") i++;
  }
  return undefined;
}

/** `wandb login` puts the key there. */
function readNetrcKey(env: Environment, baseUrl: string): string | undefined {
  let host: string;
  try {
    host = new URL(baseUrl).host;
  } catch {
    return undefined;
  }
  for (const path of [env["NETRC"], join(homedir(), ".netrc"), join(homedir(), "_netrc")]) {
    if (path === undefined || path === "") continue;
    try {
      const key = findNetrcPassword(readFileSync(path, "utf8"), host);
      if (key !== undefined) return key;
    } catch {
      // No such file: most people have none.
    }
  }
  return undefined;
}

function parseTags(text: string | undefined): { [name: string]: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const tags: unknown = JSON.parse(text);
    if (typeof tags !== "object" || tags === null) return undefined;
    return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, String(value)]));
  } catch {
    return undefined;
  }
}

/** Leaves out what is not set: an empty variable is none. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/**
 * `needed` are the trackers of the run: a key that nobody asked for is not looked for. `hubToken` is for Trackio on a Space
 * of the hub.
 */
export function gatherTrackerSettings(env: Environment, needed: readonly string[], hubToken?: string): TrackerSettings {
  const settings: TrackerSettings = {};
  const isTrue = (name: string): boolean => /^(1|true|yes|on)$/i.test(env[name] ?? "");
  if (needed.includes("tensorboard")) settings.tensorboard = defined({ folder: env["TENSORBOARD_LOGGING_DIR"] });
  if (needed.includes("wandb")) {
    const baseUrl = env["WANDB_BASE_URL"] || wandbUrl;
    const mode = env["WANDB_MODE"];
    const isOff = mode === "disabled" || isTrue("WANDB_DISABLED");
    settings.wandb = defined({
      baseUrl,
      apiKey: env["WANDB_API_KEY"] || readNetrcKey(env, baseUrl),
      entity: env["WANDB_ENTITY"],
      project: env["WANDB_PROJECT"],
      name: env["WANDB_NAME"],
      runId: env["WANDB_RUN_ID"],
      group: env["WANDB_RUN_GROUP"],
      jobType: env["WANDB_JOB_TYPE"],
      notes: env["WANDB_NOTES"],
      tags: env["WANDB_TAGS"]
        ?.split(",")
        .map((tag) => tag.trim())
        .filter((tag) => tag !== ""),
      mode: isOff ? ("disabled" as const) : mode === "offline" || mode === "dryrun" ? ("offline" as const) : ("online" as const),
      folder: env["WANDB_DIR"],
    });
  }
  if (needed.includes("trackio")) {
    const cache = env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface");
    settings.trackio = defined({
      folder: env["TRACKIO_DIR"] || join(cache, "trackio"),
      project: env["TRACKIO_PROJECT"],
      serverUrl: env["TRACKIO_SERVER_URL"],
      spaceId: env["TRACKIO_SPACE_ID"],
      writeToken: env["TRACKIO_WRITE_TOKEN"],
      hubToken,
    });
  }
  if (needed.includes("mlflow")) {
    settings.mlflow = defined({
      trackingUri: env["MLFLOW_TRACKING_URI"],
      experiment: env["MLFLOW_EXPERIMENT_NAME"],
      username: env["MLFLOW_TRACKING_USERNAME"],
      password: env["MLFLOW_TRACKING_PASSWORD"],
      token: env["MLFLOW_TRACKING_TOKEN"],
      runId: env["MLFLOW_RUN_ID"],
      tags: parseTags(env["MLFLOW_TAGS"]),
    });
  }
  return settings;
}
