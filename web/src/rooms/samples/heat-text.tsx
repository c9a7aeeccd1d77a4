/** A text with what a reward model thinks of each token: colour under it, the number on hover and by the arrow keys. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Heat } from "../../../../src/server/ui/samples/protocol.ts";
import { listValues, type HeatMeasure } from "./heat-values.ts";

export interface HeatTextProps {
  readonly heat: Heat;
  readonly by: HeatMeasure;
  /** What the strongest colour stands for. */
  readonly scale: number;
  readonly label: string;
}

interface Shown {
  readonly index: number;
  readonly box: DOMRect;
}

const steps = 4;

export function HeatText({ heat, by, scale, label }: HeatTextProps) {
  const container = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Shown>();
  const values = listValues(heat, by);
  const changes = by === "change" ? values : listValues(heat, "change");
  const show = (index: number): void => {
    const element = container.current?.querySelector(`[data-token="${index}"]`);
    if (element == null) return;
    element.scrollIntoView({ block: "nearest" });
    setShown({ index, box: element.getBoundingClientRect() });
  };
  const hide = (): void => setShown(undefined);
  useEffect(() => {
    if (shown === undefined) return undefined;
    addEventListener("scroll", hide, { capture: true, passive: true });
    return () => removeEventListener("scroll", hide, { capture: true });
  }, [shown === undefined]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const last = heat.tokens.length - 1;
    const at = shown?.index ?? -1;
    const targets: { readonly [key: string]: number | undefined } = {
      ArrowRight: Math.min(last, at + 1),
      ArrowLeft: Math.max(0, at - 1),
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (event.key === "Escape") hide();
    else if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    else show(target);
    event.preventDefault();
    event.stopPropagation();
  };
  const token = shown === undefined ? undefined : heat.tokens[shown.index];
  return (
    <div
      ref={container}
      class="heat-text"
      tabIndex={0}
      role="group"
      aria-label={`${label}, scored token by token; the arrow keys move`}
      onKeyDown={onKeyDown}
      onBlur={hide}
      onPointerOver={(event) => {
        const element = (event.target as Element).closest("[data-token]");
        if (element === null) return hide();
        setShown({ index: Number(element.getAttribute("data-token")), box: element.getBoundingClientRect() });
      }}
      onPointerLeave={hide}
    >
      {heat.tokens.map(({ text, ends }, i) => (
        <span key={i} data-token={i} class={`heat-token ${bandOf(values[i], scale)}${shown?.index === i ? " active" : ""}`}>
          {ends ? <span class="heat-end">end</span> : text}
        </span>
      ))}
      {shown !== undefined && token !== undefined && (
        <span
          class="heat-card"
          role="status"
          style={{ left: `${Math.max(8, Math.min(shown.box.left, innerWidth - 200))}px`, top: `${shown.box.bottom + 6}px` }}
        >
          <code>{token.text.replaceAll(" ", "·").replaceAll("\n", "↵") || "(part of a character)"}</code>
          <span>
            change <strong>{formatSigned(changes[shown.index])}</strong>
          </span>
          <span>
            score so far <strong>{formatSigned(token.score)}</strong>
          </span>
        </span>
      )}
    </div>
  );
}

/** `up-1` … `up-4`, `down-1` … `down-4`, or nothing near zero. */
function bandOf(value: number, scale: number): string {
  const size = Math.min(steps, Math.round((Math.abs(value) / scale) * steps));
  return size === 0 ? "" : `${value > 0 ? "up" : "down"}-${size}`;
}

export function formatSigned(value: number): string {
  const shown = Math.abs(value) < 0.0005 ? "0" : Math.abs(value).toFixed(Math.abs(value) < 10 ? 2 : 1);
  return shown === "0" ? "0" : `${value < 0 ? "−" : "+"}${shown}`;
}

export function HeatLegend({ by, scale }: { readonly by: HeatMeasure; readonly scale: number }) {
  const what = by === "change" ? "What a token changes in the score" : "The score as if the text ended there";
  const swatches = ["down-4", "down-3", "down-2", "down-1", "", "up-1", "up-2", "up-3", "up-4"];
  return (
    <p class="heat-legend">
      <span>{what}:</span>
      <span class="numeric">−{scale}</span>
      <span class="heat-scale" aria-hidden="true">
        {swatches.map((band) => (
          <span key={band} class={`heat-token ${band}`} />
        ))}
      </span>
      <span class="numeric">+{scale}</span>
      <span class="heat-legend-note">
        Reward models are trained on the score at the end; what stands before it is a glimpse, not a grade. A text cut by the limit of
        tokens is scored with an end token too.
      </span>
    </p>
  );
}
