/** Which header a token asks for: Label Studio has two kinds. */

import { SparError } from "../../internal/errors.ts";

export type SendPlain = (path: string, body: unknown) => Promise<{ readonly status: number; readonly body: unknown }>;

export interface StudioAuthorisation {
  /** The value of the Authorization header. */
  header(): Promise<string>;
  /** After a 401. True where another header may fare better. */
  renew(): boolean;
}

/**
 * A legacy token (40 hexadecimal digits) goes out as it is. A personal access token is a JWT that only `POST /api/token/refresh/`
 * takes; what that gives is a bearer token of some minutes, fetched anew before it expires or after a 401.
 */
export function authoriseStudio(token: string, send: SendPlain, now: () => number = Date.now): StudioAuthorisation {
  if (!isJsonWebToken(token)) return { header: () => Promise.resolve(`Token ${token}`), renew: () => false };
  let access: { token: string; expires: number } | undefined;
  let pending: Promise<string> | undefined;
  const fetchAccess = async (): Promise<string> => {
    const { status, body } = await send("/api/token/refresh/", { refresh: token });
    const given = typeof body === "object" && body !== null && "access" in body ? body.access : undefined;
    if (typeof given !== "string" || given === "")
      throw new SparError(
        "label-studio/token",
        `Label Studio does not accept the personal access token (status ${status}${readDetail(body)})`,
        {
          hint: "Make a new one in Label Studio under Account & Settings, Personal Access Token: the old one has expired or was revoked.",
        },
      );
    access = { token: given, expires: readExpiry(given) ?? now() + 60_000 };
    return given;
  };
  return {
    async header() {
      // Half a minute early, so that it does not expire on the way.
      if (access !== undefined && access.expires - 30_000 > now()) return `Bearer ${access.token}`;
      pending ??= fetchAccess().finally(() => {
        pending = undefined;
      });
      return `Bearer ${await pending}`;
    },
    renew() {
      access = undefined;
      return true;
    },
  };
}

function readDetail(body: unknown): string {
  if (typeof body !== "object" || body === null || !("detail" in body)) return "";
  return `: ${String(body.detail).slice(0, 200)}`;
}

/** As Label Studio's own client tells them apart: three parts, the first of which is a JSON object with an `alg`. */
export function isJsonWebToken(token: string): boolean {
  const parts = token.split(".");
  return parts.length === 3 && decodePart(parts[0])?.["alg"] !== undefined;
}

/** Milliseconds. */
function readExpiry(token: string): number | undefined {
  const expires = decodePart(token.split(".")[1])?.["exp"];
  return typeof expires === "number" ? expires * 1000 : undefined;
}

function decodePart(part: string | undefined): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? "", "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as { readonly [key: string]: unknown }) : undefined;
  } catch {
    return undefined;
  }
}
