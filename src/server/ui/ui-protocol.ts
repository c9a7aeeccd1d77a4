/**
 * What the page asks the server first of all: `GET /api/ui` → UIDescription.
 * Errors everywhere below `/api`: ErrorAnswer, with a status of 400 and more.
 */

export type RoomName = "label" | "runs" | "samples" | "chat";

export interface UIDescription {
  readonly version: string;
  /** In the order in which they are shown. */
  readonly rooms: readonly RoomName[];
  /** The folder in which spar was started, as people write it. */
  readonly folder: string;
}

export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}
