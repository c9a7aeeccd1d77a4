/**
 * Who may talk to a server. One on 127.0.0.1 is within reach of every page that the same person has open: by
 * requests to that address from a foreign page, and by a foreign name that is made to resolve to it (DNS rebinding).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { ProtocolError, respondWithError } from "./openai-error.ts";

export interface SiteOptions {
  /** Host names, without ports, that requests may be addressed to; `localhost` and, where `anyAddress`, all IP addresses are fine too. */
  readonly hosts: readonly string[];
  /** For a server that listens on other than loopback addresses, whose own addresses it does not know. */
  readonly anyAddress: boolean;
  /** Paths of pages to which a person may come by a link from another site; default none. */
  readonly linkable?: readonly string[];
}

export interface GuardOptions extends Omit<SiteOptions, "linkable"> {
  /** One of these as a bearer token; empty: none asked for. */
  readonly apiKeys: readonly string[];
  /** Paths that need no key. */
  readonly open: readonly string[];
}

/** Why a request is turned away with status 403. */
export interface SiteRefusal {
  readonly code: "host_not_allowed" | "origin_not_allowed";
  readonly message: string;
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Refuses, in this order: foreign hosts, foreign origins, missing keys. */
export function createGuard(options: GuardOptions): MiddlewareHandler {
  const { apiKeys, open } = options;
  const checkSite = createSiteCheck(options);
  const isKey = createKeyCheck(apiKeys);
  return async (context, next) => {
    const refuse = (status: number, code: string, message: string): Response =>
      respondWithError(new ProtocolError(status, message, { code }));
    const refusal = checkSite(context.req.raw);
    if (refusal !== undefined) return refuse(403, refusal.code, refusal.message);
    if (apiKeys.length > 0 && !open.includes(context.req.path) && !isKey(bearerOf(context.req.raw)))
      return refuse(401, "invalid_api_key", "expected one of the server's keys: Authorization: Bearer KEY");
    return next();
  };
}

/** Tells what is wrong with where a request is addressed to, or with the page that it comes from; undefined: nothing. */
export function createSiteCheck({ hosts, anyAddress, linkable = [] }: SiteOptions): (request: Request) => SiteRefusal | undefined {
  const named = new Set(hosts.map((host) => host.toLowerCase()));
  const isOurs = (name: string): boolean =>
    loopback.has(name) || named.has(name) || (anyAddress && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0);
  return (request) => {
    const { headers } = request;
    const host = headers.get("host") ?? "";
    if (!isOurs(hostName(host))) {
      const message = `this server is not called ${JSON.stringify(host)}; if it should be, start it with --allow-host`;
      return { code: "host_not_allowed", message };
    }
    // Browsers send Origin with requests to other sites and with every POST; other programs send none.
    const origin = headers.get("origin")?.toLowerCase();
    const site = headers.get("sec-fetch-site");
    // https: a proxy before this server speaks TLS. It has a name of its own, which is not loopback.
    const schemes = loopback.has(hostName(host)) ? ["http"] : ["http", "https"];
    const isOwn = origin === undefined || schemes.some((scheme) => origin === `${scheme}://${host.toLowerCase()}`);
    const isForeign = !isOwn || site === "cross-site" || site === "same-site";
    if (!isForeign || (origin === undefined && isLinkTo(linkable, request))) return undefined;
    return { code: "origin_not_allowed", message: "requests from pages of other sites are refused" };
  };
}

/** A person who follows a link: the whole tab goes there, and the page that had the link sees nothing of the answer. */
function isLinkTo(linkable: readonly string[], { method, url, headers }: Request): boolean {
  const isWholeTab = headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document";
  return method === "GET" && isWholeTab && linkable.includes(new URL(url).pathname);
}

/** Compares with all keys, in a time that tells nothing. */
export function createKeyCheck(keys: readonly string[]): (given: string) => boolean {
  const digests = keys.map(digest);
  return (given) => {
    const found = digest(given);
    return digests.filter((key) => timingSafeEqual(key, found)).length > 0;
  };
}

/** The bearer token of a request; empty where it has none. */
export function bearerOf({ headers }: Request): string {
  return /^Bearer\s+(.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
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
