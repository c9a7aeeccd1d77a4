import { Icon } from "../../components/icon.tsx";

export interface SearchFieldProps {
  /** For those who hear the page. */
  readonly label: string;
  readonly placeholder: string;
  readonly icon?: "search" | "filter";
  readonly value: string;
  readonly isInvalid?: boolean;
  readonly onInput: (text: string) => void;
}

export function SearchField({ label, placeholder, icon = "search", value, isInvalid = false, onInput }: SearchFieldProps) {
  return (
    <label class="runs-search">
      <Icon name={icon} />
      <span class="visually-hidden">{label}</span>
      <input
        class="input"
        type="search"
        placeholder={placeholder}
        value={value}
        aria-invalid={isInvalid}
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
