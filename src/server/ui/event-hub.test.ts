import { describe, expect, test, vi } from "vitest";
import { createEventHub, type HubEvent, type ServedEventHub } from "./event-hub.ts";
import { createEventRoutes } from "./event-routes.ts";
import { respondWithUIError } from "./ui-error.ts";

function listen(hub: ServedEventHub, topics: readonly string[], since?: string) {
  const events: HubEvent[] = [];
  const subscription = hub.subscribe(topics, { since, deliver: (event) => events.push(event) });
  return { ...subscription, events, data: () => events.map(({ text }) => (JSON.parse(text) as { data: unknown }).data) };
}

describe("event hub", () => {
  test("an event reaches those who listen to its topic, and nobody else", () => {
    const hub = createEventHub();
    const [both, one] = [listen(hub, ["a:1", "a:2"]), listen(hub, ["a:2"])];
    hub.publish("a:1", "first");
    hub.publish("a:2", { second: true });
    hub.publish("a:3", "nobody");
    expect(both.data()).toEqual(["first", { second: true }]);
    expect(one.data()).toEqual([{ second: true }]);
    one.stop();
    hub.publish("a:2", 3);
    expect(one.events).toHaveLength(1);
    expect(both.data().at(-1)).toBe(3);
  });

  test("a topic is started once, and stopped some time after its last subscriber has gone", () => {
    vi.useFakeTimers();
    try {
      const hub = createEventHub({ linger: 100 });
      const calls: string[] = [];
      hub.register("run", (topic) => {
        calls.push(`start ${topic}`);
        return () => calls.push(`stop ${topic}`);
      });
      const [first, second] = [listen(hub, ["run:1", "run:1"]), listen(hub, ["run:1"])];
      first.stop();
      vi.advanceTimersByTime(1000);
      expect(calls).toEqual(["start run:1"]);
      second.stop();
      vi.advanceTimersByTime(99);
      const third = listen(hub, ["run:1"]);
      vi.advanceTimersByTime(1000);
      expect(calls).toEqual(["start run:1"]);
      third.stop();
      third.stop();
      vi.advanceTimersByTime(101);
      expect(calls).toEqual(["start run:1", "stop run:1"]);
      listen(hub, ["run:2"]);
      hub.close();
      expect(calls.slice(2)).toEqual(["start run:2", "stop run:2"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("what a start throws is told, and the topic stays silent", () => {
    const errors: unknown[] = [];
    const hub = createEventHub({ onError: (error) => errors.push(error) });
    hub.register("run", () => {
      throw new Error("no such run");
    });
    expect(() => listen(hub, ["run:x"])).not.toThrow();
    expect(errors).toHaveLength(1);
    hub.close();
  });

  test("who comes back gets what it has missed, or is told that it cannot", () => {
    const hub = createEventHub({ kept: 3 });
    const first = listen(hub, ["a:1", "a:2"]);
    expect(first.missed).toEqual(["a:1", "a:2"]);
    hub.publish("a:1", 1);
    const seen = first.events[0]!.id;
    first.stop();
    hub.publish("a:1", 2);
    hub.publish("a:2", 3);
    const back = listen(hub, ["a:1", "a:new"], seen);
    expect(back.data()).toEqual([2]);
    expect(back.missed).toEqual(["a:new"]);
    for (let index = 0; index < 4; index++) hub.publish("a:1", index);
    expect(listen(hub, ["a:1"], seen).missed).toEqual(["a:1"]);
    for (const id of ["", "nonsense", "00000000-1", `${seen.split("-")[0]}-x`]) {
      const stranger = listen(hub, ["a:1"], id);
      expect([stranger.missed, stranger.data()]).toEqual([["a:1"], []]);
    }
    hub.close();
  });
});

describe("GET /api/events", () => {
  const decoder = new TextDecoder();
  const read = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => decoder.decode((await reader.read()).value);

  test("says hello, then every event with its id; the reader's leaving ends the subscription", async () => {
    const hub = createEventHub({ linger: 0 });
    const stopped = vi.fn();
    hub.register("a", () => stopped);
    const app = createEventRoutes({ hub });
    const answer = await app.request("/?topic=a:1&topic=b:2");
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    const reader = answer.body!.getReader();
    expect(await read(reader)).toMatch(/event: hello\nid: \w+-0\ndata: \{"missed":\["a:1","b:2"\]\}/);
    hub.publish("a:1", { x: "line\nbreak" });
    expect(await read(reader)).toMatch(/^id: \w+-1\ndata: \{"topic":"a:1","data":\{"x":"line\\nbreak"\}\}\n\n$/);
    await reader.cancel();
    await vi.waitFor(() => expect(stopped).toHaveBeenCalledTimes(1));
  });

  test("refuses too many topics, too many streams; cuts off who does not read", async () => {
    const hub = createEventHub();
    const app = createEventRoutes({ hub, maxStreams: 1 });
    app.onError((error) => respondWithUIError(error));
    expect((await app.request(`/?${"topic=a&".repeat(65)}`)).status).toBe(400);
    const first = await app.request("/?topic=a:1");
    expect((await app.request("/?topic=a:1")).status).toBe(503);
    for (let index = 0; index < 10; index++) hub.publish("a:1", "x".repeat(1e6));
    await expect(
      (async () => {
        for (const reader = first.body!.getReader(); ;) if ((await reader.read()).done) return;
      })(),
    ).rejects.toThrow("does not read");
    expect((await app.request("/?topic=a:1")).status).toBe(200);
    hub.close();
  });
});
