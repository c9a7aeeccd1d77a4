/** The places, or marks, that an answer can get; in its head, so that a finger reaches them too. */
import type { LabelMode } from "../../../../src/server/ui/label/protocol.ts";
import { answerName } from "./draft.ts";

export interface MarkButtonsProps {
  readonly mode: LabelMode;
  readonly at: number;
  readonly count: number;
  readonly mark: number | null;
  readonly onMark: (mark: number | null) => void;
}

export function MarkButtons({ mode, at, count, mark, onMark }: MarkButtonsProps) {
  const what = mode === "ranking" ? "Place" : "Mark";
  return (
    <div class="label-segments label-marks" role="group" aria-label={`${what} of answer ${answerName(at)}`}>
      {Array.from({ length: count }, (_, index) => index + 1).map((value) => (
        <button
          key={value}
          type="button"
          aria-label={`${what} ${String(value)}`}
          aria-pressed={mark === value}
          onClick={() => onMark(mark === value ? null : value)}
        >
          {value}
        </button>
      ))}
    </div>
  );
}
