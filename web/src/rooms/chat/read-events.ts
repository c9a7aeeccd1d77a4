/** Events that a POST answers with, one after the other, as they come. */
import { api } from "../../api.ts";

/** Ends with the stream. Throws ApiError for an answer that is no stream, AbortError after `signal`. */
export async function* readEvents<E>(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<E> {
  const answer = await api.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const events = rest.split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        const data = event.startsWith("data: ") ? event.slice(6) : "[DONE]";
        if (data !== "[DONE]") yield JSON.parse(data) as E;
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
