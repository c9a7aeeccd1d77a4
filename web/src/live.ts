/**
 * What happens on the server, as it happens: one EventSource for all topics of a tab. A tab that nobody sees gives its
 * connection back (browsers allow six to a server, over all tabs), and catches up when it is looked at again.
 */
import { effect } from "@preact/signals";
import { connection, reportGone, reportHere } from "./connection.ts";

type Listener = (data: unknown) => void;

interface Subscription {
  readonly topic: string;
  readonly listener: Listener;
  readonly onGap: (() => void) | undefined;
}

export interface SubscribeOptions {
  /**
   * Events of the topic may have been missed: at the first connection (what happened since the state was read), and after
   * an interruption. Ask for the state again.
   */
  readonly onGap?: () => void;
}

const hiddenGrace = 10_000;
const subscriptions = new Set<Subscription>();
let source: EventSource | undefined;
let sourceTopics = "";
let lastEventId = "";
let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
let isAsleep = false;
let isPlanned = false;

/** Calls `listener` with the data of every event of `topic` (`prefix:rest`), until the function that comes back is called. */
export function subscribe<T>(topic: string, listener: (data: T) => void, options: SubscribeOptions = {}): () => void {
  const subscription: Subscription = { topic, listener: listener as Listener, onGap: options.onGap };
  subscriptions.add(subscription);
  plan();
  return () => {
    subscriptions.delete(subscription);
    plan();
  };
}

/** Opens the connection, also without topics: so the page knows whether the server is there. */
export function startLive(): void {
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(sleep, hiddenGrace);
    else wake();
  });
  addEventListener("pagehide", sleep);
  addEventListener("pageshow", wake);
  effect(() => {
    if (connection.value === "here") plan();
  });
}

function sleep(): void {
  isAsleep = true;
  source?.close();
  source = undefined;
}

function wake(): void {
  isAsleep = false;
  plan();
}

/** Rooms come and go with several topics at once: all of it becomes one connection. */
function plan(): void {
  if (isPlanned) return;
  isPlanned = true;
  setTimeout(() => {
    isPlanned = false;
    connect();
  }, 0);
}

function connect(): void {
  if (isAsleep || connection.value !== "here") return;
  const topics = [...new Set([...subscriptions].map(({ topic }) => topic))].sort();
  const wanted = topics.join("\n");
  if (source !== undefined && wanted === sourceTopics) return;
  source?.close();
  const query = new URLSearchParams(topics.map((topic) => ["topic", topic]));
  if (lastEventId !== "") query.set("since", lastEventId);
  const opened = new EventSource(`/api/events?${query.toString()}`);
  source = opened;
  sourceTopics = wanted;
  opened.addEventListener("hello", (event) => {
    reportHere();
    lastEventId = event.lastEventId;
    const missed = new Set((JSON.parse(String(event.data)) as { missed: string[] }).missed);
    for (const { topic, onGap } of Array.from(subscriptions)) if (missed.has(topic)) onGap?.();
  });
  opened.addEventListener("message", (event) => {
    lastEventId = event.lastEventId;
    const { topic, data } = JSON.parse(String(event.data)) as { topic: string; data: unknown };
    for (const subscription of Array.from(subscriptions)) if (subscription.topic === topic) subscription.listener(data);
  });
  opened.addEventListener("error", () => {
    if (source !== opened) return;
    // The browser would try again by itself, and would not say why it cannot; connection.ts asks, and we come back after it.
    opened.close();
    source = undefined;
    reportGone();
  });
}
