/**
 * W&B's protocol for runs in progress: GraphQL `upsertBucket` makes the run, `file_stream` takes lines of its files by
 * their offsets, `createRunFiles` says where whole files are put. Source: wandb/wandb, core/ (0.31), and what its client
 * sends to a recording server (test/peers/wandb-stub.ts).
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DeliveryError, requestJson, sendRequest } from "./http-request.ts";
import { formatExtendedJson, type WandbRun } from "./wandb-records.ts";

export type StreamedFile = "wandb-history.jsonl" | "output.log";

export type WandbLine = { file: StreamedFile; offset: number; line: string };

export type WandbItem =
  | WandbLine
  /** A file below `files/` of the run's own folder. */
  | { media: string }
  | { exit: number };

export type WandbStreamOptions = {
  apiKey: string;
  baseUrl: string;
  run: WandbRun;
  stepMetric: string;
  /** Folder of whole files. */
  filesFolder: string;
  summary: () => { readonly [key: string]: unknown };
  /** Lines of earlier sessions, in case the server lacks the last of them. */
  earlier: { readonly [file in StreamedFile]: readonly string[] };
  /** The run is known there, and can be looked at. */
  onOpen: (url: string) => void;
  /** Somebody pressed "stop" on the run's page. */
  onStop: () => void;
};

export interface WandbStream {
  send(items: readonly WandbItem[], signal: AbortSignal): Promise<void>;
  heartbeat(signal: AbortSignal): Promise<void>;
}

type Place = { entity: string; project: string; run: string };

/** The official client's limit is 10 MiB a request. */
const requestLimit = 8 << 20;

const upsertBucket = `mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String, $displayName: String, $notes: String, $config: JSONString, $host: String, $jobType: String, $tags: [String!]) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, groupName: $groupName, displayName: $displayName, notes: $notes, config: $config, host: $host, jobType: $jobType, tags: $tags}) {
    bucket { id name displayName project { id name entity { id name } } historyLineCount logLineCount }
    inserted
  }
}`;

const createRunFiles = `mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    runID
    uploadHeaders
    files { name uploadUrl }
  }
}`;

type Json = { [key: string]: unknown };
const asObject = (value: unknown): Json => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {});
const asText = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

export function createWandbStream(options: WandbStreamOptions): WandbStream {
  const base = options.baseUrl.replace(/\/+$/, "");
  const headers = { authorization: `Basic ${Buffer.from(`api:${options.apiKey}`).toString("base64")}`, "user-agent": "spar" };
  let place: Place | undefined;
  let wasStopped = false;

  async function query(name: string, text: string, variables: Json, signal: AbortSignal): Promise<Json> {
    const answer = asObject(
      await requestJson({ method: "POST", url: `${base}/graphql`, headers, json: { query: text, operationName: name, variables }, signal }),
    );
    const [error] = Array.isArray(answer["errors"]) ? (answer["errors"] as unknown[]) : [];
    if (error !== undefined) {
      // GraphQL says no with status 200; whose permission is missing gets it by asking again no more.
      throw new DeliveryError("denied", `${name}: ${asText(asObject(error)["message"]) ?? JSON.stringify(error)}`);
    }
    return asObject(answer["data"]);
  }

  async function open(signal: AbortSignal): Promise<Place> {
    const { run, stepMetric } = options;
    const config: Json = Object.fromEntries(Object.entries(run.config).map(([key, value]) => [key, { value }]));
    // Which x the charts have; the numbers are field numbers of wandb_internal.proto's MetricRecord.
    config["_wandb"] = {
      value: {
        m: [
          { 1: stepMetric, 6: [3] },
          { 2: "*", 5: 1, 6: [1] },
        ],
      },
    };
    const variables = {
      name: run.id,
      project: run.project,
      entity: run.entity ?? null,
      groupName: run.group ?? null,
      displayName: run.name ?? null,
      notes: run.notes ?? null,
      config: formatExtendedJson(config),
      host: run.host,
      jobType: run.jobType ?? null,
      tags: run.tags ?? null,
    };
    const bucket = asObject(asObject((await query("UpsertBucket", upsertBucket, variables, signal))["upsertBucket"])["bucket"]);
    const project = asObject(bucket["project"]);
    const entity = asText(asObject(project["entity"])["name"]) ?? run.entity;
    if (entity === undefined) throw new DeliveryError("denied", "UpsertBucket: the answer names no entity");
    const found: Place = { entity, project: asText(project["name"]) ?? run.project, run: asText(bucket["name"]) ?? run.id };
    for (const [file, counter] of [
      ["wandb-history.jsonl", "historyLineCount"],
      ["output.log", "logLineCount"],
    ] as const) {
      const count = bucket[counter];
      const lines = options.earlier[file];
      const first = typeof count === "number" ? count : 0;
      await sendLines(
        found,
        lines.slice(first).map((line, i) => ({ file, offset: first + i, line })),
        signal,
      );
    }
    const page = base.replace("://api.", "://");
    options.onOpen(`${page}/${found.entity}/${found.project}/runs/${found.run}`);
    return found;
  }

  async function post({ entity, project, run }: Place, body: Json, signal: AbortSignal): Promise<void> {
    const url = `${base}/files/${encodeURIComponent(entity)}/${encodeURIComponent(project)}/${encodeURIComponent(run)}/file_stream`;
    const answer = asObject(await requestJson({ method: "POST", url, headers, json: body, signal, timeout: 60_000 }));
    if (answer["stopped"] === true && !wasStopped) {
      wasStopped = true;
      options.onStop();
    }
  }

  async function sendLines(to: Place, items: readonly WandbLine[], signal: AbortSignal): Promise<void> {
    let files: { [name: string]: { offset: number; content: string[] } } = {};
    let size = 0;
    const flush = async (): Promise<void> => {
      if (size === 0) return;
      const summary = { offset: 0, content: [formatExtendedJson(options.summary())] };
      await post(to, { files: { ...files, "wandb-summary.json": summary } }, signal);
      files = {};
      size = 0;
    };
    for (const { file, offset, line } of items) {
      const open = files[file];
      const length = Buffer.byteLength(line) + 8;
      if (size + length > requestLimit || (open !== undefined && open.offset + open.content.length !== offset)) await flush();
      (files[file] ??= { offset, content: [] }).content.push(line);
      size += length;
    }
    await flush();
  }

  async function upload(to: Place, paths: readonly string[], signal: AbortSignal): Promise<void> {
    const variables = { ...to, files: paths };
    const answer = asObject((await query("CreateRunFiles", createRunFiles, variables, signal))["createRunFiles"]);
    const extra: { [name: string]: string } = {};
    for (const header of Array.isArray(answer["uploadHeaders"]) ? (answer["uploadHeaders"] as unknown[]) : []) {
      const [, name, value] = /^([^:]+):\s*(.*)$/.exec(String(header)) ?? [];
      if (name !== undefined && value !== undefined) extra[name] = value;
    }
    for (const file of Array.isArray(answer["files"]) ? (answer["files"] as unknown[]) : []) {
      const name = asText(asObject(file)["name"]);
      const uploadUrl = asText(asObject(file)["uploadUrl"]);
      // Only what was asked for: a server names no other file of this machine.
      if (name === undefined || uploadUrl === undefined || !paths.includes(name)) continue;
      const url = new URL(uploadUrl, base);
      const own = url.origin === new URL(base).origin ? headers : {};
      const body = Uint8Array.from(await readFile(join(options.filesFolder, name)));
      await sendRequest({ method: "PUT", url: url.href, headers: { ...own, ...extra }, body, signal, timeout: 60_000 });
    }
    await post(to, { uploaded: paths }, signal);
  }

  return {
    async send(items, signal) {
      place ??= await open(signal);
      const media = items.flatMap((item) => ("media" in item ? [item.media] : []));
      if (media.length > 0) await upload(place, media, signal);
      await sendLines(
        place,
        items.filter((item) => "file" in item),
        signal,
      );
      const last = items.at(-1);
      if (last !== undefined && "exit" in last) await post(place, { complete: true, exitcode: last.exit }, signal);
    },
    async heartbeat(signal) {
      if (place !== undefined) await post(place, {}, signal);
    },
  };
}
