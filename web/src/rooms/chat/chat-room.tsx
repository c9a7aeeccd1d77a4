/** The Chat room: one model, or two with the same prompt, token by token. */
import { useEffect, useState } from "preact/hooks";
import type { ModelDetails, ModelEntry } from "../../../../src/server/ui/chat/protocol.ts";
import { api, ApiError } from "../../api.ts";
import { Button, IconButton } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Segmented } from "../../components/segmented.tsx";
import { useShortcuts } from "../../components/shortcuts.ts";
import { Spinner } from "../../components/spinner.tsx";
import { showToast } from "../../components/toast.tsx";
import { readStored, writeStored } from "../../stored.ts";
import type { AnswerView } from "./answer-card.tsx";
import "./chat.css";
import {
  announcement,
  ask,
  chooseModels,
  chosenModels,
  conversation,
  isBusy,
  models,
  prefer,
  regenerate,
  replaceConversation,
  setSystem,
  stop,
} from "./chat-store.ts";
import { Composer } from "./composer.tsx";
import { emptyConversation } from "./conversation.ts";
import { LoadButton, saveConversation } from "./conversation-file.tsx";
import { ExchangeView } from "./exchange-view.tsx";
import { ModelNotices } from "./model-notices.tsx";
import { ModelPicker } from "./model-picker.tsx";
import { SamplingPanel } from "./sampling-panel.tsx";
import { Scroller } from "./scroller.tsx";
import { bands } from "./token-text.tsx";
import { useNarrow } from "./use-narrow.ts";
import { Welcome } from "./welcome.tsx";

const layoutKey = "spar.chat.layout";

interface Layout {
  readonly view: AnswerView;
  readonly settings: boolean;
}

export default function ChatRoom({ route }: { readonly route: string }) {
  const [layout, setLayout] = useState<Layout>(() => readStored<Layout>(layoutKey) ?? { view: "text", settings: innerWidth >= 1200 });
  const [details, setDetails] = useState<{ readonly [id: string]: ModelDetails | ApiError }>({});
  const [problem, setProblem] = useState<ApiError>();
  const [opensSettings, setOpensSettings] = useState(false);
  const isNarrow = useNarrow("(max-width: 1000px)");
  const known = models.value;
  const talking = known?.filter(({ kind }) => kind === "language");

  const load = async (): Promise<void> => {
    try {
      const list = await api.get<ModelEntry[]>("/chat/models");
      models.value = list;
      const ids = list.filter(({ kind }) => kind === "language").map(({ id }) => id);
      const wanted = route === "" ? chosenModels.value : route.split("/").map(decodeURIComponent);
      const there = wanted.filter((id) => ids.includes(id)).slice(0, 2);
      chooseModels(there.length > 0 ? there : ids.slice(0, 1));
    } catch (error) {
      if (error instanceof ApiError) setProblem(error);
      else throw error;
    }
  };
  useEffect(() => {
    void load();
    // A run may have ended while somebody looked elsewhere.
    const look = (): void => {
      if (!document.hidden) void load();
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  const chosen = chosenModels.value;
  useEffect(() => {
    for (const id of chosen) {
      if (id in details || known === undefined) continue;
      api.get<ModelDetails>(`/chat/models/${encodeURIComponent(id)}`).then(
        (found) => setDetails((all) => ({ ...all, [id]: found })),
        (error: unknown) => {
          if (error instanceof ApiError) setDetails((all) => ({ ...all, [id]: error }));
        },
      );
    }
  }, [chosen.join(" "), known]);

  /** One that could not be loaded gets another chance. */
  const choose = (ids: readonly string[]): void => {
    setDetails((all) => Object.fromEntries(Object.entries(all).filter(([, one]) => !(one instanceof ApiError))));
    chooseModels(ids);
  };
  const change = (next: Partial<Layout>): void => {
    setLayout({ ...layout, ...next });
    writeStored(layoutKey, { ...layout, ...next });
  };
  const reset = (): void => {
    const before = conversation.value;
    replaceConversation({ ...emptyConversation, system: before.system });
    if (before.exchanges.length > 0)
      showToast("The conversation is empty.", { action: { label: "Undo", run: () => replaceConversation(before) } });
  };
  const last = conversation.value.exchanges.at(-1);
  useShortcuts([
    { keys: "Escape", label: "Stop the answer", group: "Chat", whileTyping: true, run: stop },
    { keys: "r", label: "Generate the last answer anew", group: "Chat", run: () => last !== undefined && regenerate(last.id) },
    { keys: "1", label: "Prefer the left answer", group: "Chat", run: () => last !== undefined && void prefer(last.id, "left") },
    { keys: "2", label: "Prefer the right answer", group: "Chat", run: () => last !== undefined && void prefer(last.id, "right") },
    { keys: "3", label: "Tie", group: "Chat", run: () => last !== undefined && void prefer(last.id, "tie") },
    { keys: "0", label: "Both bad", group: "Chat", run: () => last !== undefined && void prefer(last.id, "both_bad") },
    {
      keys: "t",
      label: "Tokens and their probabilities",
      group: "Chat",
      run: () => change({ view: layout.view === "tokens" ? "text" : "tokens" }),
    },
  ]);

  if (problem !== undefined)
    return (
      <EmptyState
        icon="warning"
        title="The models could not be listed"
        text={problem.message}
        hint={problem.hint}
        action={<Button onClick={() => (setProblem(undefined), void load())}>Try again</Button>}
      />
    );
  if (talking === undefined) return <Spinner label="Looking for models" />;
  if (talking.length === 0)
    return (
      <EmptyState
        icon="chat"
        title="No model to talk with yet"
        text="Models of runs below this folder appear here. This makes one:"
        commands={["spar quickstart", "spar ui --model HuggingFaceTB/SmolLM2-135M-Instruct"]}
      />
    );

  const own = chosen.map((id) => details[id]);
  const ready = own.filter((one): one is ModelDetails => one !== undefined && !(one instanceof ApiError));
  const continues = ready.length > 0 && ready.every(({ hasChatTemplate }) => !hasChatTemplate);
  const say = (text: string): void => {
    if (!runCommand(text, { reset, save: saveConversation })) ask(text);
  };
  const settings = (
    <Settings
      continues={continues}
      details={ready[0]}
      maxPositions={ready.length === 0 ? undefined : Math.min(...ready.map(({ maxPositions }) => maxPositions))}
    />
  );
  return (
    <div class="room-fill chat">
      <header class="chat-head">
        <h1 class="visually-hidden">Chat</h1>
        <div class="chat-pickers">
          <ModelPicker
            label="Model"
            hidesLabel
            models={talking}
            value={chosen[0] ?? ""}
            onChoose={(id) => choose([id, ...chosen.slice(1)])}
          />
          <ModelPicker
            label="Second model, beside it"
            hidesLabel
            none="Compare with…"
            models={talking}
            value={chosen[1] ?? ""}
            onChoose={(id) => choose(id === "" ? chosen.slice(0, 1) : [chosen[0] as string, id])}
          />
        </div>
        <Segmented
          label="How answers are shown"
          options={[
            { value: "text", label: "Text" },
            { value: "markdown", label: "Markdown" },
            { value: "tokens", label: "Tokens" },
          ]}
          value={layout.view}
          onChange={(view) => change({ view })}
        />
        <div class="chat-tools">
          <IconButton
            icon="download"
            label="Save as a file"
            tip="bottom"
            disabled={conversation.value.exchanges.length === 0}
            onClick={saveConversation}
          />
          <LoadButton />
          <IconButton icon="undo" label="Start over" tip="bottom" disabled={conversation.value.exchanges.length === 0} onClick={reset} />
          <IconButton
            icon="settings"
            label="Sampling and system prompt"
            tip="left"
            aria-expanded={isNarrow ? opensSettings : layout.settings}
            class={layout.settings && !isNarrow ? "is-on" : ""}
            onClick={() => (isNarrow ? setOpensSettings(true) : change({ settings: !layout.settings }))}
          />
        </div>
      </header>
      <div class="chat-columns">
        <div class="chat-main">
          <ModelNotices details={own} chosen={chosen} continues={continues} names={talking} />
          <Scroller>
            {conversation.value.exchanges.length === 0 ? (
              <Welcome continues={continues} isReady={ready.length > 0} known={talking} />
            ) : (
              conversation.value.exchanges.map((exchange, i, all) => (
                <ExchangeView
                  key={exchange.id}
                  exchange={exchange}
                  view={layout.view}
                  isLast={i === all.length - 1}
                  continues={continues}
                />
              ))
            )}
          </Scroller>
          <div class="chat-foot">
            {layout.view === "tokens" && <Legend />}
            <Composer continues={continues} isReady={chosen.length > 0} onSend={say} />
            <p class="chat-hint chat-foot-hint">Enter sends, Shift+Enter breaks the line, /reset starts over.</p>
          </div>
        </div>
        {layout.settings && !isNarrow && (
          <aside class="chat-settings" aria-label="Sampling and system prompt">
            {settings}
          </aside>
        )}
      </div>
      <Dialog title="Sampling and system prompt" open={opensSettings && isNarrow} onClose={() => setOpensSettings(false)}>
        {settings}
      </Dialog>
      <p class="visually-hidden" role="status">
        {isBusy.value ? "Answering" : announcement.value}
      </p>
    </div>
  );
}

/** Whether the text was a command, as in the terminal's chat. */
function runCommand(text: string, { reset, save }: { readonly reset: () => void; readonly save: () => void }): boolean {
  const [, name, rest = ""] = /^\/(\w+)\s*(.*)$/s.exec(text) ?? [];
  if (name === "reset") reset();
  else if (name === "system") {
    setSystem(rest);
    showToast(rest === "" ? "No system prompt." : "The system prompt is set.");
  } else if (name === "save") save();
  else if (name === "help") showToast("/reset starts over, /system TEXT sets the system prompt, /save saves the conversation as a file");
  else return false;
  return true;
}

function Settings({
  continues,
  details,
  maxPositions,
}: {
  readonly continues: boolean;
  readonly details: ModelDetails | undefined;
  readonly maxPositions: number | undefined;
}) {
  return (
    <>
      <label class="field chat-system">
        <span>System prompt</span>
        <textarea
          class="textarea"
          rows={3}
          disabled={continues}
          placeholder={continues ? "" : "Answer in one sentence."}
          value={continues ? "" : conversation.value.system}
          onInput={(event) => setSystem(event.currentTarget.value)}
        />
        {continues && <small>A model without a chat template has none.</small>}
      </label>
      <SamplingPanel own={details?.sampling} maxPositions={maxPositions} />
    </>
  );
}

function Legend() {
  return (
    <p class="chat-legend">
      <span>How likely each token was:</span>
      {bands.map(({ name, band }) => (
        <span key={band} class={`chat-token band-${band}`}>
          {name}
        </span>
      ))}
    </p>
  );
}
