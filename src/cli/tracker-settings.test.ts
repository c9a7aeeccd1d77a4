import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findNetrcPassword, gatherTrackerSettings } from "./tracker-settings.ts";

const all = ["wandb", "trackio", "mlflow", "tensorboard"];

test("netrc", () => {
  const text =
    "# machine api.wandb.ai password wrong\nmachine other login a password no\nmachine api.wandb.ai\n  login user\n  password KEY\n";
  expect(findNetrcPassword(text, "api.wandb.ai")).toBe("KEY");
  expect(findNetrcPassword(text, "wandb.ai")).toBeUndefined();
  expect(findNetrcPassword("default login x password D", "anything")).toBe("D");
  expect(findNetrcPassword("", "x")).toBeUndefined();
  expect(findNetrcPassword("machine x login password password p", "x")).toBe("p");
});

test("nothing is set: files for W&B, Trackio's usual folder, MLflow's usual address", () => {
  const settings = gatherTrackerSettings({ NETRC: "/nonexistent" }, all);
  expect(settings.trackio).toEqual({ folder: join(homedir(), ".cache", "huggingface", "trackio") });
  expect(settings.mlflow).toEqual({});
  expect(settings.tensorboard).toEqual({});
  expect(settings.wandb).toMatchObject({ baseUrl: "https://api.wandb.ai", mode: "online" });
});

test("the clients' variables; what is not needed is not looked at, and what is empty is not set", () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-netrc-"));
  try {
    writeFileSync(join(folder, "netrc"), "machine wandb.local:8080 login user password FROM_FILE\n");
    const env = {
      NETRC: join(folder, "netrc"),
      WANDB_BASE_URL: "http://wandb.local:8080",
      WANDB_API_KEY: "",
      WANDB_TAGS: "a, b,,",
      WANDB_MODE: "dryrun",
      WANDB_DIR: "/data",
      WANDB_PROJECT: "p",
      HF_HOME: "/hf",
      TRACKIO_SPACE_ID: "me/board",
      MLFLOW_TRACKING_URI: "http://m:5000",
      MLFLOW_TRACKING_USERNAME: "u",
      MLFLOW_TAGS: '{"a": 1}',
      TENSORBOARD_LOGGING_DIR: "/logs",
    };
    expect(gatherTrackerSettings(env, all, "hf_x")).toEqual({
      wandb: { baseUrl: "http://wandb.local:8080", apiKey: "FROM_FILE", project: "p", tags: ["a", "b"], mode: "offline", folder: "/data" },
      trackio: { folder: "/hf/trackio", spaceId: "me/board", hubToken: "hf_x" },
      mlflow: { trackingUri: "http://m:5000", username: "u", tags: { a: "1" } },
      tensorboard: { folder: "/logs" },
    });
    expect(gatherTrackerSettings(env, [])).toEqual({});
    expect(gatherTrackerSettings({ WANDB_DISABLED: "true" }, ["wandb"]).wandb).toMatchObject({ mode: "disabled" });
    expect(gatherTrackerSettings({ MLFLOW_TAGS: "{" }, ["mlflow"]).mlflow).toEqual({});
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
