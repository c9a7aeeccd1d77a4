import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { conversation } from "./chat-store.ts";

/** Stays at the end while the answer comes, unless somebody has scrolled away. */
export function Scroller({ children }: { readonly children: ComponentChildren }) {
  const frame = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const text = conversation.value;
  useEffect(() => {
    const element = frame.current;
    if (element !== null && follows.current) element.scrollTop = element.scrollHeight;
  }, [text]);
  return (
    <div
      ref={frame}
      class="chat-scroller"
      tabIndex={0}
      role="region"
      aria-label="Conversation"
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < 60;
      }}
    >
      <div class="chat-thread">{children}</div>
    </div>
  );
}
