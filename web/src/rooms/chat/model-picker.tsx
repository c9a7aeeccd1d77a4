/** Which model, out of those on this machine. */
import type { ModelEntry, ModelOrigin } from "../../../../src/server/ui/chat/protocol.ts";

export interface ModelPickerProps {
  readonly label: string;
  readonly models: readonly ModelEntry[];
  readonly value: string;
  /** Shown first, for "none". */
  readonly none?: string;
  readonly hidesLabel?: boolean;
  onChoose(id: string): void;
}

const groups: readonly { readonly name: string; readonly origins: readonly ModelOrigin[] }[] = [
  { name: "Given on the command line", origins: ["given"] },
  { name: "Runs", origins: ["run", "folder"] },
  { name: "Checkpoints", origins: ["checkpoint"] },
  { name: "Shipped with spar", origins: ["shipped"] },
];

export function ModelPicker({ label, models, value, none, hidesLabel = false, onChoose }: ModelPickerProps) {
  const isGone = value !== "" && !models.some(({ id }) => id === value);
  return (
    <label class="chat-picker">
      <span class={hidesLabel ? "visually-hidden" : "chat-picker-label"}>{label}</span>
      <select class="select" value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {isGone && <option value={value}>(a model that is gone)</option>}
        {groups.map(({ name, origins }) => {
          const some = models.filter(({ origin }) => origins.includes(origin));
          return (
            some.length > 0 && (
              <optgroup key={name} label={name}>
                {some.map((model) => (
                  <option key={model.id} value={model.id}>
                    {describeModel(model)}
                  </option>
                ))}
              </optgroup>
            )
          );
        })}
      </select>
    </label>
  );
}

function describeModel({ name, method }: ModelEntry): string {
  return method === null || name.toLowerCase().includes(method.toLowerCase()) ? name : `${name} (${method})`;
}
