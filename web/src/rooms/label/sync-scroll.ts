/** Scrolls all answers when one is scrolled, in proportion, so that the same part of each is seen. */
export function syncScroll(container: HTMLElement, isOn: () => boolean): () => void {
  /** Scroll events that were caused here, by element, are not answered again. */
  const expected = new WeakMap<Element, number>();
  const listPanes = (): HTMLElement[] => [...container.querySelectorAll<HTMLElement>(".label-answer-body")];
  const onScroll = ({ target }: Event): void => {
    if (!isOn() || !(target instanceof HTMLElement) || !target.classList.contains("label-answer-body")) return;
    if (expected.get(target) === target.scrollTop) {
      expected.delete(target);
      return;
    }
    const range = target.scrollHeight - target.clientHeight;
    if (range <= 0) return;
    for (const pane of listPanes()) {
      if (pane === target) continue;
      const top = Math.round((target.scrollTop / range) * (pane.scrollHeight - pane.clientHeight));
      if (Math.abs(pane.scrollTop - top) < 1) continue;
      pane.scrollTop = top;
      expected.set(pane, pane.scrollTop);
    }
  };
  // Scroll events do not bubble; they are caught on their way down.
  container.addEventListener("scroll", onScroll, { capture: true, passive: true });
  return () => container.removeEventListener("scroll", onScroll, { capture: true });
}

/** Page Up and Page Down without a focus: all panes that scroll, or else the page. */
export function scrollPanes(container: HTMLElement, direction: 1 | -1): void {
  const panes = [...container.querySelectorAll<HTMLElement>(".label-answer-body")].filter(
    (pane) => pane.scrollHeight > pane.clientHeight + 1,
  );
  if (panes.length === 0) container.closest(".main")?.scrollBy({ top: direction * window.innerHeight * 0.8 });
  for (const pane of panes) pane.scrollBy({ top: direction * pane.clientHeight * 0.8 });
}
