/**
 * Who may talk to the server. A server on 127.0.0.1 is within reach of every page that the same person has open: by
 * requests to that address from a foreign page, and by a foreign name that is made to resolve to it (DNS rebinding).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { ProtocolError, respondWithError } from "./openai-error.ts";

export interface GuardOptions {
  /** Host names, without ports, that requests may be addressed to; `localhost` and, where `anyAddress`, all IP addresses are fine too. */
  readonly hosts: readonly string[];
  /** For a server that listens on other than loopback addresses, whose own addresses it does not know. */
  readonly anyAddress: boolean;
  /** One of these as a bearer token; empty: none asked for. */
  readonly apiKeys: readonly string[];
  /** Paths that need no key. */
  readonly open: readonly string[];
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Refuses, in this order: foreign hosts, foreign origins, missing keys. */
export function createGuard({ hosts, anyAddress, apiKeys, open }: GuardOptions): MiddlewareHandler {
  const named = new Set(hosts.map((host) => host.toLowerCase()));
  const digests = apiKeys.map(digest);
  const isOurs = (name: string): boolean =>
    loopback.has(name) || named.has(name) || (anyAddress && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0);
  return async (context, next) => {
    const refuse = (status: number, code: string, message: string): Response =>
      respondWithError(new ProtocolError(status, message, { code }));
    const headers = context.req.raw.headers;
    const host = headers.get("host") ?? "";
    if (!isOurs(hostName(host)))
      return refuse(
        403,
        "host_not_allowed",
        `this server is not called ${JSON.stringify(host)}; if it should be, start it with --allow-host`,
      );
    // Browsers send Origin with requests to other sites and with every POST; other programs send none.
    const origin = headers.get("origin")?.toLowerCase();
    const site = headers.get("sec-fetch-site");
    if ((origin !== undefined && origin !== `http://${host.toLowerCase()}`) || site === "cross-site" || site === "same-site")
      return refuse(403, "origin_not_allowed", "requests from pages of other sites are refused");
    if (digests.length > 0 && !open.includes(context.req.path)) {
      const given = digest(/^Bearer\s+(.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "");
      // All are compared, so that the time tells nothing.
      const isKnown = digests.filter((key) => timingSafeEqual(key, given)).length > 0;
      if (!isKnown) return refuse(401, "invalid_api_key", "expected one of the server's keys: Authorization: Bearer KEY");
    }
    return next();
  };
}

/** The name in a Host header, lower case; empty where it is none. */
function hostName(host: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[^:@/\\?#\s[\]]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1].toLowerCase() ?? "";
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** True where only programs on this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return loopback.has(host.toLowerCase()) || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
