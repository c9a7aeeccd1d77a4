/** `GET /api/events?topic=a&topic=b`: the hub's events as server-sent events, each `{topic, data}`. */
import { Hono } from "hono";
import type { HubEvent, ServedEventHub } from "./event-hub.ts";
import { RequestError } from "./ui-error.ts";

const maxTopics = 64;
const maxTopicLength = 1000;
/** A page that does not read is cut off beyond this; it comes back and asks for the state. */
const maxWaitingBytes = 8 * 2 ** 20;

export interface EventRouteOptions {
  readonly hub: ServedEventHub;
  /** Streams open at the same time. */
  readonly maxStreams?: number;
  /** Milliseconds between signs of life, which tell both ends that the other is there. */
  readonly pingEvery?: number;
}

/**
 * The stream begins with an event named `hello`: `{missed}` are the topics of which events since the page's last one (the
 * browser's Last-Event-ID, or `since=ID`) may be lost, so that the page asks for their state again.
 */
export function createEventRoutes({ hub, maxStreams = 1000, pingEvery = 15_000 }: EventRouteOptions): Hono {
  let open = 0;
  const app = new Hono();
  app.get("/", ({ req }) => {
    const topics = req.queries("topic") ?? [];
    if (topics.length > maxTopics || topics.some((topic) => topic === "" || topic.length > maxTopicLength)) {
      throw new RequestError(400, "ui/topics", `expected at most ${maxTopics} topics of 1 to ${maxTopicLength} characters each`);
    }
    if (open >= maxStreams) {
      throw new RequestError(503, "ui/busy", `${maxStreams} pages are listening already`, { retryAfter: 5 });
    }
    const since = req.header("last-event-id") ?? req.query("since");
    const encoder = new TextEncoder();
    let stop = (): void => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          open++;
          let isOpen = true;
          const write = (text: string): void => {
            if (!isOpen) return;
            controller.enqueue(encoder.encode(text));
            if ((controller.desiredSize ?? 0) >= 0) return;
            stop();
            controller.error(new Error("the page does not read its events"));
          };
          const early: HubEvent[] = [];
          let deliver = (event: HubEvent): void => void early.push(event);
          const subscription = hub.subscribe(topics, { since, deliver: (event) => deliver(event) });
          const timer = setInterval(() => write(": still here\n\n"), pingEvery);
          timer.unref();
          stop = () => {
            if (!isOpen) return;
            isOpen = false;
            open--;
            clearInterval(timer);
            subscription.stop();
          };
          const { missed, newest } = subscription;
          write(`retry: 1000\nevent: hello\nid: ${newest}\ndata: ${JSON.stringify({ missed })}\n\n`);
          deliver = ({ id, text }) => write(`id: ${id}\ndata: ${text}\n\n`);
          for (const event of early) deliver(event);
        },
        cancel: () => stop(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: maxWaitingBytes }),
    );
    req.raw.signal.addEventListener("abort", () => stop());
    return new Response(body, {
      headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no" },
    });
  });
  return app;
}
