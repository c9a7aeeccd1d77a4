/** The page and its rooms as one app: who may come in, what a request may weigh, and what browsers are told not to do. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { SiteOptions } from "../guard.ts";
import type { ServedEventHub } from "./event-hub.ts";
import { createEventRoutes } from "./event-routes.ts";
import type { StaticFiles } from "./static-files.ts";
import { RequestError, respondWithUIError } from "./ui-error.ts";
import { createUIGuard, type UIGuardOptions } from "./ui-guard.ts";
import type { RoomName, UIDescription } from "./ui-protocol.ts";

export interface UIAppOptions extends Omit<SiteOptions, "linkable">, Pick<UIGuardOptions, "ticket" | "rate" | "now"> {
  /** Whoever knows it may do everything that the page can. */
  readonly token: string;
  readonly hub: ServedEventHub;
  readonly files: StaticFiles;
  /** Each room's routes, mounted at `/api/NAME`; the page shows these rooms only, in this order. */
  readonly rooms: readonly { readonly name: RoomName; readonly routes: Hono }[];
  readonly version: string;
  /** Shown as the place where all this lies. */
  readonly folder: string;
  /** The most bytes of a request; default 8 MiB. */
  readonly maxBytes?: number;
  /** Told of bugs. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Nothing runs that does not come from this server as a file, and no text becomes elements but through DOMPurify. */
const contentPolicy = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types dompurify",
].join("; ");

const safetyHeaders = {
  "content-security-policy": contentPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
};

/** What is shown to those who come without the token. */
const openPaths = ["/favicon.svg", "/locked.css"];

export function createUIApp(options: UIAppOptions): Hono {
  const { hub, files, rooms, version, folder, maxBytes = 8 * 2 ** 20, onError } = options;
  const app = new Hono();
  app.onError((error) => respondWithUIError(error, onError));
  app.notFound(({ req }) => respondWithUIError(new RequestError(404, "ui/not-found", `there is no ${req.method} ${req.path} here`)));
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(safetyHeaders)) context.res.headers.set(name, value);
    if (!context.res.headers.has("cache-control")) context.res.headers.set("cache-control", "no-store");
  });
  app.use(createUIGuard({ ...options, open: openPaths, lockedPage: files.text("/locked.html") ?? "401" }));
  app.use(
    bodyLimit({
      maxSize: maxBytes,
      onError: () => respondWithUIError(new RequestError(413, "ui/too-large", `the request is larger than ${maxBytes} bytes`)),
    }),
  );
  const description: UIDescription = { version, rooms: rooms.map(({ name }) => name), folder };
  app.get("/api/ui", () => Response.json(description));
  app.route("/api/events", createEventRoutes({ hub }));
  for (const { name, routes } of rooms) app.route(`/api/${name}`, routes);
  app.get("*", async ({ req }, next) => {
    const answer = await files.respond(req.path === "/" ? "/index.html" : req.path, req.raw.headers);
    if (answer !== undefined) return answer;
    await next();
    return undefined;
  });
  return app;
}
