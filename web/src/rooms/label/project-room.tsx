/** A project that is open for one person: the bar on top, and the page below it. */
import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { Guidelines, Progress, Project } from "../../../../src/server/ui/label/protocol.ts";
import { ApiError } from "../../api.ts";
import { Button } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { connection } from "../../connection.ts";
import { subscribe } from "../../live.ts";
import { goTo } from "../../route.ts";
import { DisagreementsPage } from "./disagreements-page.tsx";
import { DonePage } from "./done-page.tsx";
import { describeLabel } from "./draft.ts";
import { GuidelinesPanel } from "./guidelines-panel.tsx";
import { HistoryPage } from "./history-page.tsx";
import { readItem, writeItem } from "./identity.ts";
import { labelApi } from "./label-api.ts";
import { createLabelSession, type LabelSession } from "./label-session.ts";
import { LabelingView } from "./labeling-view.tsx";
import type { Outbox } from "./outbox.ts";
import { ProgressLine } from "./progress-line.tsx";
import { LinkNotice, SaveState } from "./save-state.tsx";
import { StatisticsPage } from "./statistics-page.tsx";

export interface ProjectRoomProps {
  readonly id: string;
  readonly page: string;
  readonly hasOthers: boolean;
  readonly annotator: string;
  readonly tab: string;
  readonly outbox: Outbox;
  readonly onRename: () => void;
}

const pages = [
  ["", "Label"],
  ["history", "Your labels"],
  ["disagreements", "Disagreements"],
  ["statistics", "Statistics"],
] as const;

export function ProjectRoom(props: ProjectRoomProps) {
  const { id, annotator, tab, outbox } = props;
  const [session, setSession] = useState<LabelSession | null>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const isHere = connection.value === "here";
  useEffect(() => {
    if (session !== null || !isHere) return undefined;
    let isCurrent = true;
    labelApi.project(id).then(
      (project) => {
        if (!isCurrent) return;
        const made = createLabelSession({ project, annotator, tab, api: labelApi, outbox });
        setSession(made);
        void made.start();
      },
      (error: unknown) => {
        if (isCurrent && error instanceof ApiError && error.status !== 0) setProblem(error);
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [isHere, session === null]);
  useEffect(() => () => session?.stop(), [session]);
  useEffect(() => {
    if (isHere) session?.resume();
  }, [isHere, session]);
  if (session !== null) return <OpenProject {...props} session={session} />;
  return problem === null ? (
    <Spinner label="Opening the project" />
  ) : (
    <EmptyState
      title="The project could not be opened"
      text={problem.message}
      hint={problem.hint}
      action={<Button onClick={() => location.reload()}>Try again</Button>}
    />
  );
}

function OpenProject({ id, page, hasOthers, annotator, outbox, onRename, session }: ProjectRoomProps & { session: LabelSession }) {
  const [isReading, setReading] = useState(false);
  const guidelines = useSignal<Guidelines>(session.project.guidelines);
  const seenKey = `spar.label.guidelines/${id}`;
  const seen = useSignal(Number(readItem("localStorage", seenKey) ?? 0));
  const root = `label/${encodeURIComponent(id)}`;
  const applyGuidelines = (newest: Guidelines): void => {
    guidelines.value = newest;
    session.setGuidelinesVersion(newest.version);
  };
  const loadProject = (): Promise<Project> =>
    labelApi.project(id).then((project) => {
      applyGuidelines(project.guidelines);
      session.setProgress(project.progress);
      return project;
    });
  useEffect(
    () => subscribe<Progress>(`label:${id}`, session.setProgress, { onGap: () => void loadProject().catch(() => undefined) }),
    [session],
  );
  // Somebody may have changed the guidelines: labels must not say that they were given by a text that nobody saw.
  useEffect(() => {
    const timer = setInterval(() => void loadProject().catch(() => undefined), 60_000);
    return () => clearInterval(timer);
  }, [session]);
  const toggleGuidelines = (): void => {
    setReading((isOpen) => !isOpen);
    if (isReading) return;
    void loadProject().catch(() => undefined);
    seen.value = guidelines.value.version;
    writeItem("localStorage", seenKey, String(guidelines.value.version));
  };
  const last = session.lastAction.value;
  const announce = last === null ? "" : `${last.kind === "undone" ? "Taken back, " : ""}${describeLabel(last.label)}`;
  return (
    <div class={`label-room${page === "" ? " is-labeling" : ""}`}>
      <h1 class="visually-hidden">{`Labeling ${session.project.name}`}</h1>
      <header class="label-bar">
        <nav class="label-pages" aria-label="Labeling">
          {hasOthers && <a href="#/label">All</a>}
          {pages.map(([name, title]) => (
            <a key={name} href={`#/${root}${name === "" ? "" : `/${name}`}`} aria-current={page === name ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <ProgressLine progress={session.progress.value} annotator={annotator} />
        <div class="label-bar-end">
          <SaveState outbox={outbox} announce={announce} />
          <button type="button" class="button button-small" aria-pressed={isReading} aria-keyshortcuts="g" onClick={toggleGuidelines}>
            Guidelines
            {guidelines.value.version > seen.value && <span class="badge badge-accent">new</span>}
          </button>
          <button
            type="button"
            class="button button-small button-quiet"
            aria-label={`You label as ${annotator}; change the name`}
            onClick={onRename}
          >
            {annotator}
          </button>
        </div>
      </header>
      <LinkNotice outbox={outbox} />
      <div class="label-below">
        <div class="label-main">
          <Page
            session={session}
            outbox={outbox}
            page={page}
            onGuidelines={toggleGuidelines}
            onLeave={() => {
              setReading(false);
              return isReading;
            }}
            onLook={(label) => {
              session.look(label);
              goTo(root);
            }}
          />
        </div>
        {isReading && (
          <GuidelinesPanel
            guidelines={guidelines.value}
            onClose={() => setReading(false)}
            loadNewest={() => loadProject().then((project) => project.guidelines)}
            onSave={async (text, after) => {
              const saved = await labelApi.saveGuidelines(id, { text, after });
              applyGuidelines(saved);
              seen.value = saved.version;
              writeItem("localStorage", seenKey, String(saved.version));
            }}
          />
        )}
      </div>
    </div>
  );
}

interface PageProps {
  readonly session: LabelSession;
  readonly outbox: Outbox;
  readonly page: string;
  readonly onGuidelines: () => void;
  readonly onLeave: () => boolean;
  readonly onLook: (labelId: string) => void;
}

function Page({ session, outbox, page, onGuidelines, onLeave, onLook }: PageProps) {
  const { id, mode } = session.project;
  if (page === "statistics")
    return <StatisticsPage project={id} mode={mode} progress={session.progress.value} changes={session.changes.value} />;
  if (page === "disagreements") return <DisagreementsPage session={session} />;
  if (page === "history") return <HistoryPage session={session} onLook={onLook} />;
  const screen = session.screen.value;
  if (screen !== null)
    return <LabelingView session={session} outbox={outbox} screen={screen} onGuidelines={onGuidelines} onLeave={onLeave} />;
  const feed = session.feed.value;
  if (feed.kind === "empty") return <DonePage session={session} />;
  if (feed.kind === "failed")
    return (
      <EmptyState
        title="The next task is not here yet"
        text={
          feed.link.kind === "trouble"
            ? feed.link.message
            : "The server does not answer. Your labels wait in this browser; the next task comes as soon as it does."
        }
        hint={feed.link.kind === "trouble" ? feed.link.hint : undefined}
      />
    );
  return <Spinner label="Getting the next task" />;
}
