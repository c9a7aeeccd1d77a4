/** Whether the server is there, as the last thing that was asked of it showed. While it is gone, it is asked again and again. */
import { signal } from "@preact/signals";

/** `locked`: it is there, and does not know this browser (it was started anew). */
export type Connection = "here" | "gone" | "locked";

export const connection = signal<Connection>("here");

let timer: ReturnType<typeof setTimeout> | undefined;
const longestWait = 5000;

export function reportHere(): void {
  clearTimeout(timer);
  timer = undefined;
  connection.value = "here";
}

export function reportLocked(): void {
  connection.value = "locked";
  if (timer === undefined) lookAgain(longestWait);
}

export function reportGone(): void {
  connection.value = "gone";
  if (timer === undefined) lookAgain(500);
}

function lookAgain(wait: number): void {
  timer = setTimeout(() => void look(wait), wait);
}

async function look(wait: number): Promise<void> {
  timer = undefined;
  const status = await fetch("/api/ui", { cache: "no-store" }).then(
    (answer) => answer.status,
    () => 0,
  );
  if (status === 401) return reportLocked();
  if (status >= 200 && status < 500) return reportHere();
  connection.value = "gone";
  lookAgain(Math.min(longestWait, wait * 1.5));
}
