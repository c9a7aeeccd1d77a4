/** The order so far: a lane a place, answers in the same lane are as good as each other. Letters can be dragged from lane to lane. */
import { useState } from "preact/hooks";
import { answerName } from "./draft.ts";

export interface RankLanesProps {
  readonly marks: readonly (number | null)[];
  readonly onMark: (answer: number, place: number | null) => void;
}

const dragType = "application/x-spar-answer";

export function RankLanes({ marks, onMark }: RankLanesProps) {
  const [over, setOver] = useState<number | null | undefined>(undefined);
  const places: readonly (number | null)[] = [...marks.map((_, at) => at + 1), null];
  return (
    <ol class="label-lanes" aria-label="Order so far">
      {places.map((place) => (
        <li
          key={place ?? "none"}
          class={`label-lane${over === place ? " is-over" : ""}${place === null ? " is-open" : ""}`}
          onDragOver={(event) => {
            if (event.dataTransfer?.types.includes(dragType) !== true) return;
            event.preventDefault();
            setOver(place);
          }}
          onDragLeave={() => setOver(undefined)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(undefined);
            const answer = Number(event.dataTransfer?.getData(dragType) ?? "");
            if (Number.isInteger(answer) && answer >= 0 && answer < marks.length) onMark(answer, place);
          }}
        >
          <span class="label-lane-name">{place === null ? "open" : place === 1 ? "1 best" : String(place)}</span>
          {marks.map((mark, answer) =>
            mark === place ? (
              <span
                key={answer}
                class="label-chip"
                draggable
                onDragStart={(event) => {
                  event.dataTransfer?.setData(dragType, String(answer));
                  if (event.dataTransfer !== null) event.dataTransfer.effectAllowed = "move";
                }}
              >
                {answerName(answer)}
              </span>
            ) : null,
          )}
        </li>
      ))}
    </ol>
  );
}
