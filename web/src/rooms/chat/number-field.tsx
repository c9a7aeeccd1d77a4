/** A field for a number: what is being typed is nobody else's to change, and counts when the field is left or Enter is pressed. */
import { useState } from "preact/hooks";

export interface NumberFieldProps {
  readonly value: number;
  readonly min: number;
  readonly max?: number | undefined;
  readonly id?: string;
  readonly describedBy?: string;
  readonly isWhole?: boolean;
  /** Gets a number within the bounds. */
  onChoose(value: number): void;
}

export function NumberField({ value, min, max, id, describedBy, isWhole = false, onChoose }: NumberFieldProps) {
  const [typed, setTyped] = useState<string>();
  const commit = (): void => {
    if (typed === undefined) return;
    setTyped(undefined);
    const number = isWhole ? Math.floor(Number(typed)) : Number(typed);
    if (typed.trim() !== "" && Number.isFinite(number)) onChoose(Math.min(max ?? Infinity, Math.max(min, number)));
  };
  return (
    <input
      id={id}
      class="input chat-number"
      type="number"
      inputMode={isWhole ? "numeric" : "decimal"}
      min={min}
      max={max}
      step={isWhole ? 1 : "any"}
      aria-describedby={describedBy}
      value={typed ?? Number(value.toFixed(4))}
      onInput={(event) => setTyped(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === "Enter" && commit()}
    />
  );
}
