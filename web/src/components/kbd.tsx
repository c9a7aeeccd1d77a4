const signs: { readonly [key: string]: string } = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Enter: "↵",
  Escape: "Esc",
  " ": "Space",
  Mod: /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘" : "Ctrl",
};

/** A key, or several that are pressed together (`Mod+Enter`), as they are written on keyboards. */
export function Kbd({ keys }: { keys: string }) {
  const parts = keys.length > 1 ? keys.split("+") : [keys];
  return (
    <kbd class="kbd">
      {parts.map((part) => (
        <span key={part}>{signs[part] ?? (part.length === 1 ? part.toUpperCase() : part)}</span>
      ))}
    </kbd>
  );
}
