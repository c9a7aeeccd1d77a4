/** An answer token by token: what is under the pointer, or under the keys, tells its probability and what else could have come. */
import { useEffect, useRef, useState } from "preact/hooks";
import { memo } from "./memo.ts";
import type { TokenPiece } from "../../../../src/server/ui/chat/protocol.ts";
import { TokenCard } from "./token-card.tsx";

export interface TokenTextProps {
  readonly pieces: readonly TokenPiece[];
  /** Tints by probability, and lets the keys walk over the tokens. */
  readonly inspects: boolean;
  readonly label: string;
  /** What the tokens go on from, where they continue a text. */
  readonly before?: string | undefined;
}

interface Shown {
  readonly index: number;
  readonly box: DOMRect;
}

export function TokenText({ pieces, inspects, label, before }: TokenTextProps) {
  const container = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const active = shown === undefined ? undefined : pieces[shown.index];

  const show = (index: number): void => {
    const element = container.current?.querySelector(`[data-token="${index}"]`);
    if (element == null) return;
    element.scrollIntoView({ block: "nearest" });
    setShown({ index, box: element.getBoundingClientRect() });
  };
  const hide = (): void => setShown(undefined);
  const step = (from: number, by: number): void => {
    for (let i = from + by; i >= 0 && i < pieces.length; i += by) if (pieces[i].token !== undefined) return show(i);
  };
  useEffect(() => {
    if (shown === undefined) return undefined;
    // The card stands where the token was.
    addEventListener("scroll", hide, { capture: true, passive: true });
    addEventListener("resize", hide);
    return () => {
      removeEventListener("scroll", hide, { capture: true });
      removeEventListener("resize", hide);
    };
  }, [shown === undefined]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = shown?.index ?? -1;
    const moves: { readonly [key: string]: () => void } = {
      ArrowRight: () => step(at, 1),
      ArrowLeft: () => step(at, -1),
      ArrowDown: () => step(at, 1),
      ArrowUp: () => step(at, -1),
      Home: () => step(-1, 1),
      End: () => step(pieces.length, -1),
      Escape: hide,
    };
    const move = moves[event.key];
    if (move === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move();
  };
  const onPointer = (event: PointerEvent): void => {
    const element = (event.target as Element).closest("[data-token]");
    if (element === null) return hide();
    setShown({ index: Number(element.getAttribute("data-token")), box: element.getBoundingClientRect() });
  };

  return (
    <div
      ref={container}
      class={`chat-tokens${inspects ? " inspects" : ""}`}
      {...(inspects
        ? { tabIndex: 0, role: "group", "aria-label": `${label}, token by token; the arrow keys move`, onKeyDown, onBlur: hide }
        : {})}
      onPointerOver={onPointer}
      onPointerLeave={hide}
    >
      {before !== undefined && (
        <span class="chat-asked" aria-hidden="true">
          {before}
        </span>
      )}
      {pieces.map((piece, i) => (
        <Token key={i} index={i} piece={piece} isActive={inspects && shown?.index === i} inspects={inspects} />
      ))}
      {shown !== undefined && active?.token !== undefined && <TokenCard token={active.token} box={shown.box} isLive={inspects} />}
    </div>
  );
}

interface TokenProps {
  readonly index: number;
  readonly piece: TokenPiece;
  readonly isActive: boolean;
  readonly inspects: boolean;
}

const Token = memo(({ index, piece: { text, token }, isActive, inspects }: TokenProps) => {
  if (token === undefined) return <span>{text}</span>;
  if (text === "" && !inspects) return null;
  const band = inspects ? ` band-${bandOf(token.logprob)}` : "";
  return (
    <span data-token={index} class={`chat-token${band}${isActive ? " active" : ""}`}>
      {text === "" ? <span class="chat-hidden-token">{token.ends ? "end" : "…"}</span> : text}
    </span>
  );
});

/** 0: what everybody expects … 4: a surprise. */
function bandOf(logprob: number): number {
  const probability = Math.exp(logprob);
  return [0.8, 0.4, 0.15, 0.03].findIndex((bound) => probability >= bound) + 1 || 5;
}

export const bands = [
  { name: "80 % and more", band: 1 },
  { name: "40 %", band: 2 },
  { name: "15 %", band: 3 },
  { name: "3 %", band: 4 },
  { name: "less", band: 5 },
] as const;
