/**
 * What happens, told to the pages that want to know. A topic is `prefix:rest`; who knows how to watch topics of a prefix
 * registers for it, and is started with the first page that listens and stopped after the last one left.
 */
import { randomBytes } from "node:crypto";

export interface EventHub {
  /** To whoever listens at the moment; nobody: nothing happens. `data` is what JSON can say. */
  publish(topic: string, data: unknown): void;
  /** `start` is called with the first subscriber of a topic, and what it returns some seconds after the last one has left. */
  register(prefix: string, start: (topic: string) => () => void): void;
}

export interface HubEvent {
  /** Grows with every event; of another server's life, another beginning. */
  readonly id: string;
  readonly topic: string;
  /** `{topic, data}` as JSON. */
  readonly text: string;
}

export interface SubscribeOptions {
  /** The id of the last event that was seen: what came after it is delivered first. */
  readonly since?: string | undefined;
  deliver(event: HubEvent): void;
}

export interface Subscription {
  /** Topics of which events between `since` and now may be lost; whoever listens to them should ask for the state again. */
  readonly missed: readonly string[];
  /** The newest event's id. */
  readonly newest: string;
  stop(): void;
}

export interface ServedEventHub extends EventHub {
  subscribe(topics: readonly string[], options: SubscribeOptions): Subscription;
  /** Stops all that was started. */
  close(): void;
}

export interface EventHubOptions {
  /** Milliseconds between the last subscriber's leaving and the stop: a page that reconnects finds all as it was. Default 3000. */
  readonly linger?: number;
  /** Newest events kept for those who come back. Default 1000. */
  readonly kept?: number;
  /** Told of what a `start` threw; the topic stays silent. */
  readonly onError?: (error: unknown) => void;
}

interface Topic {
  readonly listeners: Set<(event: HubEvent) => void>;
  stop: (() => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

export function createEventHub({ linger = 3000, kept = 1000, onError }: EventHubOptions = {}): ServedEventHub {
  const life = randomBytes(4).toString("hex");
  const starters = new Map<string, (topic: string) => () => void>();
  const topics = new Map<string, Topic>();
  const recent: HubEvent[] = [];
  let count = 0;

  const end = (name: string, topic: Topic): void => {
    clearTimeout(topic.timer);
    topics.delete(name);
    topic.stop?.();
  };

  const enter = (name: string): Topic => {
    const known = topics.get(name);
    if (known !== undefined) {
      clearTimeout(known.timer);
      known.timer = undefined;
      return known;
    }
    const topic: Topic = { listeners: new Set(), stop: undefined, timer: undefined };
    topics.set(name, topic);
    return topic;
  };

  const leave = (name: string, listener: (event: HubEvent) => void): void => {
    const topic = topics.get(name);
    if (topic === undefined || !topic.listeners.delete(listener) || topic.listeners.size > 0) return;
    topic.timer = setTimeout(() => end(name, topic), linger);
    topic.timer.unref();
  };

  const start = (name: string, topic: Topic): void => {
    if (topic.stop !== undefined) return;
    topic.stop = () => {};
    try {
      const begin = starters.get(name.slice(0, Math.max(0, name.indexOf(":"))));
      if (begin !== undefined) topic.stop = begin(name);
    } catch (error) {
      onError?.(error);
    }
  };

  return {
    publish(name, data) {
      const topic = topics.get(name);
      if (topic === undefined) return;
      const event = { id: `${life}-${++count}`, topic: name, text: JSON.stringify({ topic: name, data }) };
      recent.push(event);
      if (recent.length > kept) recent.splice(0, recent.length - kept);
      for (const listener of topic.listeners) listener(event);
    },
    register(prefix, begin) {
      starters.set(prefix, begin);
    },
    subscribe(names, { since, deliver }) {
      const wanted = new Set(names);
      const [sinceLife, number] = since?.split("-") ?? [];
      const seen = sinceLife === life ? Number(number) : NaN;
      const isKept = seen >= count - recent.length;
      // A topic that is not being watched now was not watched in between either: what happened there is not known.
      const missed = [...wanted].filter((name) => !isKept || !topics.has(name));
      const later = isKept && seen < count ? recent.slice(seen - count) : [];
      for (const event of later) if (wanted.has(event.topic) && !missed.includes(event.topic)) deliver(event);
      const newest = `${life}-${count}`;
      const listener = (event: HubEvent): void => deliver(event);
      for (const name of wanted) {
        const topic = enter(name);
        topic.listeners.add(listener);
        start(name, topic);
      }
      return { missed, newest, stop: () => wanted.forEach((name) => leave(name, listener)) };
    },
    close() {
      for (const [name, topic] of topics) end(name, topic);
    },
  };
}
