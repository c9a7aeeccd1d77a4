import { useId } from "preact/hooks";
import type { ComponentChildren } from "preact";

export interface Segment<T extends string> {
  readonly value: T;
  readonly label: ComponentChildren;
  /** Where the label is a picture. */
  readonly name?: string;
  readonly disabled?: boolean;
}

/** One of a few, all in sight: radio buttons, so the arrow keys work. */
export function Segmented<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  /** What is chosen; not shown. */
  label: string;
  options: readonly Segment<T>[];
  value: T | undefined;
  onChange: (value: T) => void;
}) {
  const group = useId();
  return (
    <fieldset class="segmented">
      <legend class="visually-hidden">{label}</legend>
      {options.map((option) => (
        <label class="segment" key={option.value} title={option.name}>
          <input
            type="radio"
            name={group}
            value={option.value}
            checked={option.value === value}
            disabled={option.disabled}
            aria-label={option.name}
            onChange={() => onChange(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
