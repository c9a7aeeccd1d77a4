export { resolveDataset, type ResolvedDataset } from "./resolve-dataset.ts";
export { isLocalModel, resolveModel, type ResolveOptions } from "./resolve-model.ts";
export { readHubSettings, type HubSettings } from "./settings.ts";
export type { DownloadProgress } from "./snapshot.ts";
