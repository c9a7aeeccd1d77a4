/**
 * A W&B server as small as the real Python client is content with: GraphQL for the run, file_stream for its rows, PUT for
 * files. It keeps what it was sent, so that two clients can be compared.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";

export type StubRun = {
  id: string;
  entity: string;
  project: string;
  displayName?: string;
  config?: unknown;
  tags?: unknown;
  group?: unknown;
  jobType?: unknown;
  notes?: unknown;
  /** Lines of a streamed file by name; a line that is sent again replaces the earlier one. */
  files: { [name: string]: string[] };
  uploaded: string[];
  contents: { [path: string]: Buffer };
  exitCode?: number;
  heartbeats: number;
};

export interface WandbStub {
  readonly url: string;
  readonly runs: Map<string, StubRun>;
  /** `METHOD path operation` of each request, in order. */
  readonly log: string[];
  /** The keys that clients showed. */
  readonly keys: Set<string>;
  /** Decides on a request before it is served: a status to answer with instead, or nothing. */
  refuse: (request: { method: string; path: string; operation: string }) => number | undefined;
  /** What file_stream answers besides. */
  stopped: boolean;
  close(): Promise<void>;
}

const entity = "someone";

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
}

type GraphQLRequest = { operationName?: string; query: string; variables?: { [name: string]: unknown } };

export async function startWandbStub(): Promise<WandbStub> {
  const runs = new Map<string, StubRun>();
  const log: string[] = [];
  const keys = new Set<string>();
  let url = "";

  const findRun = (id: string): StubRun | undefined => [...runs.values()].find((run) => run.id === id);

  const describeBucket = (run: StubRun) => ({
    id: `storage-${run.id}`,
    name: run.id,
    displayName: run.displayName ?? run.id,
    description: "",
    config: JSON.stringify(run.config ?? {}),
    summaryMetrics: "{}",
    sweepName: null,
    project: { id: "project-1", name: run.project, entity: { id: "entity-1", name: run.entity } },
    historyLineCount: run.files["wandb-history.jsonl"]?.length ?? 0,
    eventsLineCount: run.files["wandb-events.jsonl"]?.length ?? 0,
    logLineCount: run.files["output.log"]?.length ?? 0,
    historyTail: JSON.stringify((run.files["wandb-history.jsonl"] ?? []).slice(-1)),
    eventsTail: "[]",
    tags: [],
    createdAt: "2026-01-01T00:00:00",
    heartbeatAt: "2026-01-01T00:00:00",
    stopped: stub.stopped,
    wandbConfig: "{}",
  });

  function answerGraphQL({ query, variables = {} }: GraphQLRequest): unknown {
    const text = (name: string): string => String(variables[name] ?? "");
    if (query.includes("upsertBucket(") || /\bupsertBucket\b/.test(query)) {
      const input = (variables["input"] ?? variables) as { [name: string]: unknown };
      const id = String(input["name"] ?? "");
      const known = findRun(id) ?? [...runs.values()].find((run) => `storage-${run.id}` === input["id"]);
      const run: StubRun = known ?? {
        id,
        entity: String(input["entityName"] || input["entity"] || entity),
        project: String(input["modelName"] || input["project"] || "uncategorized"),
        files: {},
        uploaded: [],
        contents: {},
        heartbeats: 0,
      };
      runs.set(run.id, run);
      if (typeof input["config"] === "string") run.config = JSON.parse(input["config"]);
      if (typeof input["displayName"] === "string") run.displayName = input["displayName"];
      run.tags = input["tags"] ?? run.tags;
      run.group = input["groupName"] ?? run.group;
      run.jobType = input["jobType"] ?? run.jobType;
      run.notes = input["notes"] ?? run.notes;
      return { upsertBucket: { bucket: describeBucket(run), inserted: known === undefined } };
    }
    if (query.includes("createRunFiles")) {
      const files = (variables["files"] as string[]).map((name) => ({
        name,
        uploadUrl: `${url}/storage/${text("run")}/${name}`,
      }));
      return { createRunFiles: { runID: `storage-${text("run")}`, uploadHeaders: ["X-Stub:yes"], files } };
    }
    if (query.includes("bucket(") || query.includes("model(")) {
      const run = findRun(text("name") || text("run") || text("runName"));
      return {
        model: {
          id: "project-1",
          name: text("project"),
          bucket: run === undefined ? null : describeBucket(run),
          ...(run && { run: describeBucket(run) }),
        },
      };
    }
    if (/\bviewer\b/.test(query))
      return { viewer: { id: "user-1", entity, username: entity, email: "", flags: "{}", teams: { edges: [] } }, serverInfo: serverInfo() };
    if (query.includes("serverInfo")) return { serverInfo: serverInfo() };
    return {};
  }

  const serverInfo = () => ({
    cliVersionInfo: { max_cli_version: "0.99.0", min_cli_version: "0.1.0" },
    latestLocalVersionInfo: null,
    features: [],
  });

  function stream(run: StubRun, body: { [name: string]: unknown }): unknown {
    const files = (body["files"] ?? {}) as { [name: string]: { offset: number; content: string[] } };
    for (const [name, { offset, content }] of Object.entries(files)) {
      const lines = (run.files[name] ??= []);
      for (const [i, line] of content.entries()) lines[offset + i] = line;
    }
    run.uploaded.push(...((body["uploaded"] ?? []) as string[]));
    if (body["complete"] === true) run.exitCode = Number(body["exitcode"]);
    if (Object.keys(files).length === 0 && body["complete"] !== true) run.heartbeats++;
    return { limits: {}, ...(stub.stopped && { stopped: true }) };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = new URL(request.url ?? "/", "http://stub").pathname;
    const method = request.method ?? "GET";
    const isGraphQL = path === "/graphql";
    const parsed = isGraphQL || path.endsWith("/file_stream") ? (JSON.parse(body.toString("utf8")) as GraphQLRequest) : undefined;
    const operation = isGraphQL ? (parsed?.operationName ?? /(?:query|mutation)\s+(\w+)/.exec(parsed?.query ?? "")?.[1] ?? "?") : "";
    log.push(`${method} ${path} ${operation}`.trim());
    const reply = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    const status = stub.refuse({ method, path, operation });
    if (status !== undefined) return reply(status, { errors: [{ message: `refused with ${status}` }] });
    const credentials = /^Basic (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (credentials !== undefined) keys.add(Buffer.from(credentials, "base64").toString("utf8"));
    if (path.startsWith("/storage/")) {
      const [, , id = "", ...rest] = path.split("/");
      const run = findRun(id);
      if (run === undefined || request.headers["x-stub"] !== "yes") return reply(404, {});
      run.contents[rest.join("/")] = body;
      return reply(200, {});
    }
    if (credentials === undefined) return reply(401, { errors: [{ message: "no key" }] });
    if (isGraphQL) {
      return reply(200, { data: answerGraphQL(parsed as GraphQLRequest) });
    }
    const place = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(path);
    const run = place === null ? undefined : findRun(decodeURIComponent(place[3]!));
    if (run === undefined) return reply(404, { error: `no such run: ${path}` });
    return reply(200, stream(run, parsed as unknown as { [name: string]: unknown }));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `http://127.0.0.1:${address.port}`;
  const stub: WandbStub = {
    url,
    runs,
    log,
    keys,
    refuse: () => undefined,
    stopped: false,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return stub;
}
