/** How answers are drawn. A field shows the model's own value until it is changed. */
import type { Sampling } from "../../../../src/server/ui/chat/protocol.ts";
import { NumberField } from "./number-field.tsx";
import { chooseSampling, chooseSeed, resetSampling, sampling, seed, seedVaries } from "./sampling-store.ts";

interface Field {
  readonly key: keyof Sampling;
  readonly name: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

const fields: readonly Field[] = [
  { key: "temperature", name: "Temperature", hint: "0 takes the likeliest token each time", min: 0, max: 2, step: 0.05 },
  { key: "topP", name: "Top-p", hint: "only the likeliest tokens that make up this share; 1 is off", min: 0.05, max: 1, step: 0.05 },
  { key: "topK", name: "Top-k", hint: "only so many of the likeliest tokens; 0 is off", min: 0, max: 200, step: 1 },
  { key: "minP", name: "Min-p", hint: "only tokens this likely, relative to the likeliest; 0 is off", min: 0, max: 1, step: 0.01 },
  {
    key: "repetitionPenalty",
    name: "Repetition penalty",
    hint: "above 1, tokens that were there become less likely",
    min: 1,
    max: 2,
    step: 0.05,
  },
];

export interface SamplingPanelProps {
  /** The model's own; undefined while it is not known. */
  readonly own: Sampling | undefined;
  readonly maxPositions: number | undefined;
}

const plain: Sampling = { maxNewTokens: 256, temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };

export function SamplingPanel({ own = plain, maxPositions = 1024 }: SamplingPanelProps) {
  const chosen = sampling.value;
  const isChanged = Object.keys(chosen).length > 0;
  return (
    <div class="chat-sampling">
      {fields.map((field) => (
        <Slider key={field.key} field={field} value={chosen[field.key] ?? own[field.key]} />
      ))}
      <Slider
        field={{
          key: "maxNewTokens",
          name: "Longest answer",
          hint: `tokens; the model has ${maxPositions} positions in all`,
          min: 1,
          max: maxPositions,
          step: 1,
        }}
        value={Math.min(maxPositions, chosen.maxNewTokens ?? own.maxNewTokens)}
      />
      <div class="chat-field">
        <label class="chat-field-head">
          <span>Seed</span>
          <NumberField value={seed.value} min={0} max={2 ** 32 - 1} isWhole onChoose={(next) => chooseSeed(next)} />
        </label>
        <label class="chat-check">
          <input type="checkbox" checked={seedVaries.value} onChange={(event) => chooseSeed(seed.value, event.currentTarget.checked)} />
          <span>one more for each answer</span>
        </label>
      </div>
      <button type="button" class="button" disabled={!isChanged} onClick={resetSampling}>
        Back to the model's own
      </button>
    </div>
  );
}

function Slider({ field, value }: { readonly field: Field; readonly value: number }) {
  const { key, name, hint, min, max, step } = field;
  const choose = (next: number): void => {
    if (Number.isFinite(next)) chooseSampling({ [key]: next });
  };
  const id = `sampling-${key}`;
  return (
    <div class="chat-field">
      <div class="chat-field-head">
        <label for={id}>{name}</label>
        <NumberField
          id={id}
          value={value}
          min={key === "topP" ? 0.0001 : key === "repetitionPenalty" ? 0.01 : min}
          max={["topP", "minP", "maxNewTokens"].includes(key) ? max : key === "temperature" ? 100 : undefined}
          isWhole={["topK", "maxNewTokens"].includes(key)}
          describedBy={`${id}-hint`}
          onChoose={choose}
        />
      </div>
      <input
        class="chat-range"
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-label={name}
        onInput={(event) => choose(event.currentTarget.valueAsNumber)}
      />
      <p class="chat-hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}
