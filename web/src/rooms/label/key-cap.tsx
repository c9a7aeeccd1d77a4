/** The key that does the same as the button it is on. Screen readers hear it by aria-keyshortcuts instead. */
export function KeyCap({ keys }: { keys: string }) {
  return (
    <kbd class="label-key" aria-hidden="true">
      {keys}
    </kbd>
  );
}
