/** What is known of one token, beside it. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { TokenPiece } from "../../../../src/server/ui/chat/protocol.ts";

export interface TokenCardProps {
  readonly token: NonNullable<TokenPiece["token"]>;
  /** The token's place in the window. */
  readonly box: DOMRect;
  /** Read aloud as it changes. */
  readonly isLive: boolean;
}

export function TokenCard({ token, box, isLive }: TokenCardProps) {
  const card = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: box.left, top: box.bottom + 6 });
  useLayoutEffect(() => {
    const { offsetWidth: width, offsetHeight: height } = card.current as HTMLDivElement;
    const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
    const below = box.bottom + 6;
    setPlace({ left, top: below + height > innerHeight - 8 ? Math.max(8, box.top - height - 6) : below });
  }, [box, token]);
  const isListed = token.top.some(({ text }) => text === token.text);
  const rows = isListed ? token.top : [...token.top, { text: token.text, logprob: token.logprob }];
  return (
    <div
      ref={card}
      class="chat-token-card"
      style={{ left: `${place.left}px`, top: `${place.top}px` }}
      {...(isLive ? { role: "status" } : { "aria-hidden": "true" })}
    >
      <p class="chat-token-card-head">
        <code>{showText(token.text)}</code> <strong>{formatProbability(token.logprob)}</strong>
        <span class="chat-token-card-log">log p {token.logprob.toFixed(2).replace("-", "−")}</span>
      </p>
      <ol>
        {rows.map(({ text, logprob }) => (
          <li key={text} class={text === token.text ? "taken" : ""}>
            <code>{showText(text)}</code>
            <span class="chat-bar">
              <span style={{ width: `${100 * Math.exp(logprob)}%` }} />
            </span>
            <span class="chat-token-share">{formatProbability(logprob)}</span>
          </li>
        ))}
      </ol>
      {!isListed && <p class="chat-token-card-note">Drawn from beyond the likeliest {token.top.length}.</p>}
      {token.ends && <p class="chat-token-card-note">The end of the answer.</p>}
    </div>
  );
}

/** Spaces and line breaks that can be seen. */
export function showText(text: string): string {
  return text === "" ? "(nothing)" : text.replaceAll(" ", "·").replaceAll("\n", "↵").replaceAll("\t", "→");
}

export function formatProbability(logprob: number): string {
  const percent = 100 * Math.exp(logprob);
  if (percent >= 99.95) return "100 %";
  if (percent >= 10) return `${percent.toFixed(0)} %`;
  if (percent >= 0.1) return `${percent.toFixed(1)} %`;
  return percent < 0.001 ? "< 0.001 %" : `${percent.toFixed(3)} %`;
}
