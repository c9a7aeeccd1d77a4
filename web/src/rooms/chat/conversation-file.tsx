/** The conversation as a file: saved, and loaded in place of the one on the screen. */
import { useRef } from "preact/hooks";
import { IconButton } from "../../components/button.tsx";
import { showError, showToast } from "../../components/toast.tsx";
import { conversation, replaceConversation } from "./chat-store.ts";
import { formatConversation, parseConversation } from "./conversation.ts";

export function saveConversation(): void {
  const address = URL.createObjectURL(new Blob([formatConversation(conversation.value)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `chat-${new Date().toISOString().slice(0, 16).replaceAll(/[-:]/g, "").replace("T", "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function LoadButton() {
  const input = useRef<HTMLInputElement>(null);
  const read = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    try {
      const before = conversation.value;
      replaceConversation(parseConversation(await file.text()));
      showToast(`${file.name} is loaded.`, { action: { label: "Undo", run: () => replaceConversation(before) } });
    } catch (error) {
      showError(error);
    }
  };
  return (
    <>
      <IconButton icon="book" label="Load a saved conversation" tip="bottom" onClick={() => input.current?.click()} />
      <input
        ref={input}
        type="file"
        accept=".json,.jsonl,application/json"
        class="visually-hidden"
        tabIndex={-1}
        aria-label="File of a saved conversation"
        onChange={(event) => {
          void read(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
