/**
 * Who may use the page. The address that spar prints carries a token; who comes with it gets a cookie, and from then on the
 * cookie is what counts: no script can read it, and no page of another site can make a browser send it. Programs send the
 * token as a bearer token instead.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { bearerOf, createKeyCheck, createSiteCheck, type SiteOptions } from "../guard.ts";
import { createRateLimit } from "./rate-limit.ts";
import { RequestError } from "./ui-error.ts";

export interface UIGuardOptions extends Omit<SiteOptions, "linkable"> {
  readonly token: string;
  /** Opens the page once, in the token's place: what stands in a browser's command line can be read by everybody on the machine. */
  readonly ticket?: string | undefined;
  /** Paths without secrets: what the page shows to those who come without the token. */
  readonly open: readonly string[];
  /** The page for those; 401 and 429 arrive there. */
  readonly lockedPage: string;
  /** Requests a second of one browser, and how many it may have saved up. */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  /** Milliseconds, for tests. */
  readonly now?: () => number;
}

const defaultRate = { perSecond: 500, burst: 5000 };
/** Wrong tokens, of everybody together. Who knows the token or has the cookie is not held up by those who do not. */
const wrongRate = { perSecond: 1, burst: 60 };

const refusals = { host_not_allowed: "ui/host-not-allowed", origin_not_allowed: "ui/origin-not-allowed" } as const;

/** Refuses, in this order: foreign hosts, foreign pages, strangers, and who asks too often. */
export function createUIGuard(options: UIGuardOptions): MiddlewareHandler {
  const { token, open, lockedPage, rate = defaultRate, now = Date.now } = options;
  const checkSite = createSiteCheck({ ...options, linkable: ["/"] });
  const isToken = createKeyCheck([token]);
  let tickets = options.ticket === undefined ? [] : [options.ticket];
  const takeTicket = (given: string): boolean => {
    if (!createKeyCheck(tickets)(given)) return false;
    tickets = [];
    return true;
  };
  const requests = createRateLimit(rate, now);
  const mistakes = createRateLimit(wrongRate, now);
  const sign = (id: string): string => createHmac("sha256", token).update(`spar session ${id}`).digest("base64url");

  /** The session of a valid cookie. */
  const findSession = (cookies: string, name: string): string | undefined => {
    for (const part of cookies.split(";")) {
      const [key, value = ""] = part.trim().split("=");
      const [id, signature] = value.split(".");
      if (key === name && signature !== undefined && isEqual(signature, sign(id))) return id;
    }
    return undefined;
  };

  return async (context, next) => {
    const { req } = context;
    const refusal = checkSite(req.raw);
    if (refusal !== undefined) throw new RequestError(403, refusals[refusal.code], refusal.message);
    if (open.includes(req.path)) return next();
    const isPage = req.path === "/" && (req.method === "GET" || req.method === "HEAD");
    const refuse = (given: boolean): Response => {
      const wait = given ? mistakes.take("all") : 0;
      const { status, code, message } =
        wait > 0
          ? { status: 429, code: "ui/too-many-mistakes", message: "too many wrong tokens came in; try again in a moment" }
          : { status: 401, code: "ui/no-session", message: "expected the token of this server; its address, as spar printed it, has it" };
      const retry: { [name: string]: string } = wait > 0 ? { "retry-after": String(Math.ceil(wait)) } : {};
      if (isPage) return new Response(lockedPage, { status, headers: { "content-type": "text/html; charset=utf-8", ...retry } });
      const hint = "Open the address that spar printed last, or send Authorization: Bearer TOKEN.";
      return Response.json({ error: { code, message, hint } }, { status, headers: retry });
    };
    // Cookies do not know ports, but their names may: two servers of one person do not take away each other's.
    const name = `spar-${/:(\d+)$/.exec(req.header("host") ?? "")?.[1] ?? "80"}`;
    const offered = isPage ? req.query("token") : undefined;
    if (offered !== undefined) {
      if (!isToken(offered) && !takeTicket(offered)) return refuse(true);
      const id = randomBytes(12).toString("base64url");
      const cookie = `${name}=${id}.${sign(id)}; Path=/; HttpOnly; SameSite=Strict`;
      const site = req.header("sec-fetch-site") ?? "none";
      if (site === "none" || site === "same-origin")
        return new Response(null, { status: 303, headers: { "set-cookie": cookie, location: "/" } });
      // Who came by a link of another site has no Strict cookie on a redirect: the page comes at once, and forgets the token by itself.
      await next();
      context.header("set-cookie", cookie);
      return undefined;
    }
    const bearer = bearerOf(req.raw);
    const session = bearer === "" ? findSession(req.header("cookie") ?? "", name) : isToken(bearer) ? "bearer" : undefined;
    if (session === undefined) return refuse(bearer !== "");
    const wait = requests.take(session);
    if (wait > 0) {
      const retryAfter = Math.ceil(wait);
      throw new RequestError(429, "ui/too-many-requests", "this page asks more often than the server answers", { retryAfter });
    }
    return next();
  };
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
