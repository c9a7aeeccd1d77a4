/** Something is coming. It shows itself only to those who have waited a moment. */
export function Spinner({ label }: { label: string }) {
  return (
    <div class="spinner-frame" role="status">
      <span class="spinner" aria-hidden="true" />
      <span class="visually-hidden">{label}</span>
    </div>
  );
}

/** The outline of lines of text that are coming. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}
