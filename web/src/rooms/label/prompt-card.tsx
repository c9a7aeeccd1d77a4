/** What was asked: a conversation, short enough to leave room for the answers until somebody wants all of it. */
import { useState } from "preact/hooks";
import type { ShownMessage } from "../../../../src/server/ui/label/protocol.ts";
import { Markdown } from "../../components/markdown.tsx";
import { showMarkdown } from "./view-options.ts";

const manyCharacters = 900;
const manyMessages = 3;

export function PromptCard({ prompt }: { prompt: string | readonly ShownMessage[] }) {
  const [isOpen, setOpen] = useState(false);
  const messages: readonly ShownMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const characters = messages.reduce((sum, { content }) => sum + content.length + 60 * content.split("\n").length, 0);
  const isLong = characters > manyCharacters || messages.length > manyMessages;
  // Of a long conversation the end is what is answered.
  const shown = isLong && !isOpen ? messages.slice(-1) : messages;
  const hidden = messages.length - shown.length;
  return (
    <section class={`label-prompt${isLong && !isOpen ? " is-clipped" : ""}`} aria-label="Prompt">
      <div class="label-prompt-body" data-scrolls tabIndex={0} role="group" aria-label="Prompt text">
        {shown.map((message, at) => (
          <Message key={at} message={message} isConversation={messages.length > 1} />
        ))}
      </div>
      {isLong && (
        <button type="button" class="button button-small button-quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Show less" : hidden > 0 ? `Show all: ${String(hidden)} earlier ${hidden === 1 ? "message" : "messages"}` : "Show all"}
        </button>
      )}
    </section>
  );
}

function Message({ message: { role, content }, isConversation }: { message: ShownMessage; isConversation: boolean }) {
  return (
    <div class={`label-message is-${role === "assistant" || role === "system" ? role : "user"}`}>
      <span class="label-role">
        {role === "user" ? (isConversation ? "User" : "Prompt") : role === "assistant" ? "Assistant" : role === "system" ? "System" : role}
      </span>
      {showMarkdown.value ? <Markdown text={content} /> : <div class="label-plain">{content}</div>}
    </div>
  );
}
