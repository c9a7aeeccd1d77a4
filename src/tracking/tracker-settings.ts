/** Where the trackers' servers are and who is asking; the command line gathers it from the environment variables of each. */

export type WandbSettings = {
  /** Without one, files are written for `wandb sync`. */
  apiKey?: string;
  /** `https://api.wandb.ai`, or a server of one's own. */
  baseUrl?: string;
  entity?: string;
  project?: string;
  name?: string;
  runId?: string;
  group?: string;
  jobType?: string;
  notes?: string;
  tags?: readonly string[];
  mode?: "online" | "offline" | "disabled";
  /** The folder in which `wandb/` lies; absent: the run's. */
  folder?: string;
};

export type TrackioSettings = {
  /** Trackio's data; its dashboard takes what is put into `inbox` in it. */
  folder?: string;
  project?: string;
  /** A server that is running, instead of the folder. */
  serverUrl?: string;
  /** A Space on the hub that has Trackio already, `owner/name`. */
  spaceId?: string;
  writeToken?: string;
  hubToken?: string;
};

export type MlflowSettings = {
  /** http(s) address of a tracking server. */
  trackingUri?: string;
  experiment?: string;
  username?: string;
  password?: string;
  token?: string;
  runId?: string;
  tags?: { readonly [name: string]: string };
};

export type TrackerSettings = {
  wandb?: WandbSettings;
  trackio?: TrackioSettings;
  mlflow?: MlflowSettings;
  tensorboard?: { folder?: string };
};
