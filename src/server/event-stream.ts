/** Server-sent events from a producer that goes on at its own pace. */

export interface EventWriter {
  /** An object as one event. */
  send(data: object): void;
}

/**
 * `produce` starts at once; its end closes the stream with `[DONE]`. What it throws becomes a last event by `describe`.
 * `onCancel` is called when the reader leaves first.
 */
export function streamEvents(
  produce: (writer: EventWriter) => Promise<void>,
  { describe, onCancel }: { describe: (error: unknown) => object; onCancel: () => void },
): Response {
  const encoder = new TextEncoder();
  let isOpen = true;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string): void => {
        if (isOpen) controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      };
      const close = (): void => {
        if (isOpen) controller.close();
        isOpen = false;
      };
      const work = async (): Promise<void> => {
        try {
          await produce({ send: (data) => write(JSON.stringify(data)) });
          write("[DONE]");
        } catch (error) {
          write(JSON.stringify(describe(error)));
        }
        close();
      };
      void work();
    },
    cancel() {
      isOpen = false;
      onCancel();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no" },
  });
}
