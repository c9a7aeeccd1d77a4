/** An app on a real socket, with limits on connections and on how long they may take. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { SparError } from "../internal/errors.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Seconds without a byte in either direction after which a connection is cut; longer than the longest answer. */
  readonly idleTimeout: number;
  readonly maxConnections?: number;
}

export interface RunningServer {
  readonly port: number;
  /** `http://host:port`, as a client on this machine calls it. */
  readonly url: string;
  /** Takes no further connections and cuts those that are open. */
  close(): Promise<void>;
}

/** Throws `server/address` where the port cannot be had. */
export async function listen(app: Hono, { host, port, idleTimeout, maxConnections = 256 }: ListenOptions): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    overrideGlobalObjects: false,
    serverOptions: {
      // A client that dribbles its request (slow loris) holds a connection for so long and no longer.
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16_384,
    },
  }) as ReturnType<typeof createServer>;
  server.maxConnections = maxConnections;
  server.setTimeout(idleTimeout * 1000);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(explain(cause, host, port)));
    server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  });
  const address = server.address() as AddressInfo;
  const wildcard = address.address === "0.0.0.0" || address.address === "::";
  const name = wildcard ? "127.0.0.1" : address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    port: address.port,
    url: `http://${name}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function explain(cause: NodeJS.ErrnoException, host: string, port: number): SparError {
  const reasons: { readonly [code: string]: string } = {
    EADDRINUSE: "another program listens there",
    EACCES: "this user may not listen on that port",
    EADDRNOTAVAIL: "this machine does not have that address",
    ENOTFOUND: "there is no such host name",
  };
  const isPort = cause.code === "EADDRINUSE" || cause.code === "EACCES";
  return new SparError("server/address", `listening on ${host}:${port}: ${reasons[cause.code ?? ""] ?? cause.message}`, {
    ...(isPort ? { hint: "Choose another port with --port, or any free one with --port 0." } : {}),
    cause,
  });
}
