/** The labeling room: `#/label` lists projects, `#/label/ID` labels, `#/label/ID/PAGE` looks at what was labelled. */
import { useEffect, useState } from "preact/hooks";
import type { ProjectSummary } from "../../../../src/server/ui/label/protocol.ts";
import { ApiError } from "../../api.ts";
import { Button } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { connection } from "../../connection.ts";
import { loadAnnotator, openTab, saveAnnotator } from "./identity.ts";
import { labelApi } from "./label-api.ts";
import { NameForm } from "./name-form.tsx";
import type { Outbox } from "./outbox.ts";
import { openPageOutbox } from "./page-outbox.ts";
import { ProjectList } from "./project-list.tsx";
import { ProjectRoom } from "./project-room.tsx";
import "./label.css";

/** What somebody has typed into the address may be no encoded text at all. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export default function LabelRoom({ route }: { route: string }) {
  const [projects, setProjects] = useState<readonly ProjectSummary[] | null>(null);
  const [opened, setOpened] = useState<{ tab: string; outbox: Outbox } | null>(null);
  const [annotator, setAnnotator] = useState(loadAnnotator());
  const [isNaming, setNaming] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const state = connection.value;
  useEffect(() => {
    let isCurrent = true;
    void openTab().then((tab) => {
      if (isCurrent) setOpened({ tab, outbox: openPageOutbox(tab) });
    });
    return () => {
      isCurrent = false;
    };
  }, []);
  const [id = "", page = ""] = route.split("/").map(decodePart);
  useEffect(() => {
    if (state !== "here") return;
    // The list is read again where it is looked at: its figures move.
    if (projects !== null && id !== "") return;
    labelApi.projects().then(
      (list) => {
        setProjects(list);
        setProblem(null);
      },
      (error: unknown) => setProblem(error instanceof ApiError ? error : new ApiError(0, "page", String(error))),
    );
  }, [state, id]);

  if (projects === null) {
    if (problem === null || problem.status === 0) return <Spinner label="Opening the tasks" />;
    return (
      <EmptyState
        title="The tasks could not be opened"
        text={problem.message}
        hint={problem.hint}
        action={<Button onClick={() => location.reload()}>Try again</Button>}
      />
    );
  }
  if (opened === null) return <Spinner label="Opening the tasks" />;
  const project = id === "" && projects.length === 1 ? projects[0].id : id;
  if (project === "") return <ProjectList projects={projects} />;
  if (!projects.some((known) => known.id === project))
    return (
      <EmptyState
        title="There is no such project"
        text={`Nothing to label is called ${project} here.`}
        action={
          <a class="button" href="#/label">
            {projects.length === 0 ? "What to run first" : "All projects"}
          </a>
        }
      />
    );
  if (annotator === "" || isNaming) {
    const known = Object.keys(projects.find((each) => each.id === project)?.progress.annotators ?? {});
    return (
      <div class="label-page label-naming">
        <h1>Who is labeling?</h1>
        <NameForm
          current={annotator}
          known={known.filter((name) => name !== annotator)}
          onName={(name) => {
            saveAnnotator(name);
            setAnnotator(name);
            setNaming(false);
          }}
        />
        {annotator !== "" && (
          <Button kind="quiet" onClick={() => setNaming(false)}>
            Stay {annotator}
          </Button>
        )}
      </div>
    );
  }
  return (
    <ProjectRoom
      key={`${project} ${annotator}`}
      id={project}
      page={page}
      hasOthers={projects.length > 1}
      annotator={annotator}
      tab={opened.tab}
      outbox={opened.outbox}
      onRename={() => setNaming(true)}
    />
  );
}
