/** How far this person is, how fast, how long it will take; and the team. */
import type { Progress } from "../../../../src/server/ui/label/protocol.ts";

export function ProgressLine({ progress, annotator }: { progress: Progress; annotator: string }) {
  const mine = progress.annotators[annotator] ?? { done: 0, left: progress.tasks, perHour: null, medianSeconds: null };
  const total = mine.done + mine.left;
  const others = Object.entries(progress.annotators).filter(([name]) => name !== annotator);
  const minutes = mine.perHour === null || mine.perHour <= 0 ? null : (mine.left / mine.perHour) * 60;
  return (
    <div class="label-progress">
      <progress value={mine.done} max={Math.max(1, total)} aria-label="Your tasks done" />
      <span class="label-figures">
        <strong>
          {mine.done} of {total}
        </strong>
        {mine.perHour !== null && <span class="label-wide-only">{Math.round(mine.perHour).toLocaleString("en")} an hour</span>}
        {minutes !== null && mine.left > 0 && <span>{describeMinutes(minutes)} left</span>}
        {(others.length > 0 || progress.wanted !== total) && (
          <span class="label-wide-only" title={others.map(([name, { done }]) => `${name}: ${String(done)}`).join(", ")}>
            team {progress.given} of {progress.wanted}
          </span>
        )}
      </span>
    </div>
  );
}

export function describeMinutes(minutes: number): string {
  if (minutes < 1) return "under a minute";
  const whole = Math.round(minutes);
  if (whole < 60) return `${String(whole)} min`;
  const rest = whole % 60;
  return `${String(Math.floor(whole / 60))} h${rest === 0 ? "" : ` ${String(rest)} min`}`;
}
