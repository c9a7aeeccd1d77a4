import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import type { ComponentChildren, ComponentType } from "preact";
import type { UIDescription } from "../../src/server/ui/ui-protocol.ts";
import { api, ApiError } from "./api.ts";
import { startLive } from "./live.ts";
import { connection } from "./connection.ts";
import { Button } from "./components/button.tsx";
import { ConnectionBanner } from "./components/connection-banner.tsx";
import { EmptyState } from "./components/empty-state.tsx";
import { Spinner } from "./components/spinner.tsx";
import { Toasts } from "./components/toast.tsx";
import { Navigation } from "./navigation.tsx";
import { roomEntries, type RoomEntry } from "./rooms.ts";
import { useRoute } from "./route.ts";
import { ShortcutSheet } from "./components/shortcut-sheet.tsx";

export function App() {
  const [description, setDescription] = useState<UIDescription>();
  const [problem, setProblem] = useState<ApiError>();
  const state = connection.value;
  useEffect(() => startLive(), []);
  useEffect(() => {
    if (state !== "here" || description !== undefined) return;
    api.get<UIDescription>("/ui").then(setDescription, (error: unknown) => {
      if (error instanceof ApiError) setProblem(error);
      else throw error;
    });
  }, [state]);
  const rooms = description === undefined ? [] : roomEntries.filter(({ name }) => description.rooms.includes(name));
  return (
    <div class="app">
      <a
        class="skip-link"
        href="#main"
        onClick={(event) => {
          // The hash is the route: the link moves the focus and leaves the address alone.
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <Navigation rooms={rooms} folder={description?.folder} version={description?.version} />
      <main id="main" class="main" tabIndex={-1}>
        <ConnectionBanner />
        {description === undefined ? (
          problem === undefined || state !== "here" ? (
            <Spinner label="Opening" />
          ) : (
            <EmptyState title="The page could not be opened" text={problem.message} hint={problem.hint} />
          )
        ) : (
          <Rooms rooms={rooms} />
        )}
      </main>
      <Toasts />
      <ShortcutSheet />
    </div>
  );
}

function Rooms({ rooms }: { rooms: readonly RoomEntry[] }) {
  const { room, rest } = useRoute();
  const first = rooms[0];
  useEffect(() => {
    if (room === "" && first !== undefined) location.replace(`#/${first.name}`);
  }, [room, first?.name]);
  const entry = rooms.find(({ name }) => name === room);
  useEffect(() => {
    document.title = entry === undefined ? "spar" : `${entry.title} · spar`;
  }, [entry]);
  if (room === "" && first !== undefined) return null;
  if (entry === undefined) return <NotFound room={room} first={first} />;
  return <LazyRoom key={entry.name} entry={entry} route={rest} />;
}

function NotFound({ room, first }: { room: string; first: RoomEntry | undefined }) {
  const known = roomEntries.find(({ name }) => name === room);
  const title = known === undefined ? "There is no such page" : `${known.title} is not open here`;
  const text =
    known === undefined ? `Nothing is called #/${room}.` : "This server was started with other rooms only; spar ui opens all of them.";
  return (
    <EmptyState
      title={title}
      text={text}
      action={first === undefined ? undefined : <a class="button" href={`#/${first.name}`}>{`Go to ${first.title}`}</a>}
    />
  );
}

function LazyRoom({ entry, route }: { entry: RoomEntry; route: string }) {
  const [Room, setRoom] = useState<ComponentType<{ route: string }>>();
  const [failed, setFailed] = useState(false);
  const load = () => {
    setFailed(false);
    entry.load().then(
      (module) => setRoom(() => module.default),
      () => setFailed(true),
    );
  };
  useEffect(load, []);
  if (failed) {
    return (
      <EmptyState
        title={`${entry.title} could not be loaded`}
        text="The server did not deliver this part of the page. It may have been stopped, or built anew."
        action={<Button onClick={() => location.reload()}>Load the page again</Button>}
      />
    );
  }
  return Room === undefined ? (
    <Spinner label={`Opening ${entry.title}`} />
  ) : (
    <Guarded title={entry.title} route={route}>
      <Room route={route} />
    </Guarded>
  );
}

/** A bug in one view is told there, and takes nothing else with it. */
function Guarded({ title, route, children }: { title: string; route: string; children: ComponentChildren }) {
  // The console says where it happened.
  const [error, reset] = useErrorBoundary((thrown: unknown) => reportError(thrown));
  useEffect(() => reset(), [route]);
  if (error === undefined) return children;
  return (
    <EmptyState
      title={`${title} cannot show this`}
      text={`This is a mistake in spar, not in what you did: ${error instanceof Error ? error.message : String(error)}`}
      hint="What was called saved is saved. The other rooms go on."
      action={<Button onClick={() => location.reload()}>Load the page again</Button>}
    />
  );
}
