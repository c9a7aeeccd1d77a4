/** Numbers and texts as reports show them. */

/** Safe in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A text as a cell of a Markdown table. */
export function escapeCell(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(/\s+/g, " ").trim();
}

export function formatShare(share: number): string {
  return `${(100 * share).toFixed(0)}\u00a0%`;
}

export function formatInterval([low, high]: readonly [number, number]): string {
  return `${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)}\u00a0%`;
}

export function formatSigned(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
