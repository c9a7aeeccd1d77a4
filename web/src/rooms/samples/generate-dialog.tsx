/** "Generate now": the same prompts through several models. */
import { useEffect, useState } from "preact/hooks";
import type { Sampling } from "../../../../src/server/ui/chat/protocol.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { NumberField } from "../chat/number-field.tsx";
import { SamplingPanel } from "../chat/sampling-panel.tsx";
import { nextSeed, sampling } from "../chat/sampling-store.ts";
import { generate, grid, models } from "./samples-store.ts";

const most = { models: 4, prompts: 64 };
/** Texts in a grid are short by default; what else is not chosen comes from each model's own configuration. */
const own: Sampling = { maxNewTokens: 64, temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };

export function GenerateDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const talking = models.value.filter(({ kind }) => kind === "language");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [text, setText] = useState("");
  const [n, setN] = useState(1);
  useEffect(() => {
    if (!open) return;
    const there = chosen.filter((id) => talking.some((model) => model.id === id));
    // What most people want to see: a model before its training, and after.
    const last = talking[0]?.id;
    const shipped = talking.find(({ origin }) => origin === "shipped")?.id;
    setChosen(there.length > 0 ? there : [...new Set([shipped, last])].filter((id): id is string => id !== undefined));
    if (text === "") setText(suggestPrompts().join("\n"));
  }, [open]);
  const prompts = text.split("\n").filter((line) => line.trim() !== "");
  const problem =
    chosen.length === 0
      ? "Choose at least one model."
      : chosen.length > most.models
        ? `Choose at most ${most.models} models.`
        : prompts.length === 0
          ? "Write at least one prompt."
          : prompts.length > most.prompts
            ? `${prompts.length} prompts; at most ${most.prompts} go at once.`
            : undefined;
  return (
    <Dialog
      title="Generate now"
      open={open}
      onClose={onClose}
      wide
      actions={
        <>
          <span class="samples-note samples-grow" role="status">
            {problem ?? `${chosen.length * prompts.length * n} texts`}
          </span>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            icon="play"
            disabled={problem !== undefined}
            onClick={() => {
              onClose();
              void generate({
                models: chosen,
                prompts,
                n,
                sampling: { maxNewTokens: own.maxNewTokens, ...sampling.value },
                seed: nextSeed(),
              });
            }}
          >
            Generate
          </Button>
        </>
      }
    >
      <div class="samples-generate">
        <div>
          <fieldset class="samples-models">
            <legend>Models</legend>
            {talking.map(({ id, name }) => (
              <label key={id} class="samples-check">
                <input
                  type="checkbox"
                  checked={chosen.includes(id)}
                  onChange={() => setChosen(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id])}
                />
                <span>{name}</span>
              </label>
            ))}
          </fieldset>
          <label class="field">
            <span>Prompts, one a line</span>
            <textarea class="textarea" rows={8} value={text} onInput={(event) => setText(event.currentTarget.value)} />
          </label>
          <label class="field samples-n">
            <span>Texts of each prompt</span>
            <NumberField value={n} min={1} max={8} isWhole onChoose={setN} />
          </label>
        </div>
        <details class="samples-details">
          <summary>Sampling</summary>
          <SamplingPanel own={own} maxPositions={undefined} />
        </details>
      </div>
    </Dialog>
  );
}

/** Prompts that are on the page already, so that new texts stand beside the old ones. */
function suggestPrompts(): string[] {
  const shown = (grid.value?.rows ?? []).flatMap(({ prompt }) =>
    typeof prompt === "string" ? prompt : prompt.length === 1 ? prompt[0].content : [],
  );
  const usable = [...new Set(shown)].filter((prompt) => !prompt.includes("\n")).slice(0, 8);
  return usable.length > 0 ? usable : ["the film is", "the story of a man who", "i wanted to like it, but", "what makes this work is"];
}
