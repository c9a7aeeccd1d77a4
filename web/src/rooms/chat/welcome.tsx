/** What stands where a conversation will be. */
import type { ModelEntry } from "../../../../src/server/ui/chat/protocol.ts";
import { Button } from "../../components/button.tsx";
import { chooseModels, setDraft } from "./chat-store.ts";

export function Welcome({
  continues,
  isReady,
  known,
}: {
  readonly continues: boolean;
  readonly isReady: boolean;
  readonly known: readonly ModelEntry[];
}) {
  const pair = findBeforeAndAfter(known);
  const starts = continues
    ? ["the film is", "what makes this story work is", "i wanted to like it, but"]
    : ["What is a reward model?", "Write a haiku about rain.", "Explain overfitting to a child."];
  return (
    <div class="chat-welcome">
      <h2>{continues ? "Begin a text" : "Ask something"}</h2>
      <p>
        {continues ? "The model writes on from where you stop." : "The answer comes token by token."} Pick a second model above, and both
        get the same prompt: saying which one you prefer makes a pair to train on.
      </p>
      {isReady && (
        <div class="chat-starts">
          {starts.map((text) => (
            <Button
              key={text}
              size="small"
              onClick={() => {
                setDraft(text);
                document.querySelector<HTMLElement>(".chat-composer textarea")?.focus();
              }}
            >
              {text}
            </Button>
          ))}
        </div>
      )}
      {pair !== undefined && (
        <p>
          <button type="button" class="chat-link" onClick={() => chooseModels(pair.map(({ id }) => id))}>
            Before and after: {pair.map(({ name }) => name).join(" and ")}
          </button>
        </p>
      )}
      <p class="chat-note">Models of runs below this folder are in the list, and every checkpoint.</p>
    </div>
  );
}

/** The shipped model, and the newest that a quickstart has made of it. */
function findBeforeAndAfter(known: readonly ModelEntry[]): readonly [ModelEntry, ModelEntry] | undefined {
  const before = known.find(({ origin }) => origin === "shipped");
  const after = known.find(({ origin, name }) => origin === "run" && name.startsWith("quickstart"));
  return before === undefined || after === undefined ? undefined : [before, after];
}
