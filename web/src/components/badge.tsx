import type { ComponentChildren } from "preact";

/** A word about something's state. The colour repeats what the word says. */
export function Badge({
  kind = "neutral",
  children,
  dot = false,
}: {
  kind?: "neutral" | "accent" | "good" | "warning" | "bad";
  children: ComponentChildren;
  dot?: boolean;
}) {
  return (
    <span class={`badge badge-${kind}`}>
      {dot ? <span class="badge-dot" aria-hidden="true" /> : null}
      {children}
    </span>
  );
}
