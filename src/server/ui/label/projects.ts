import type { LabelProject } from "../../../labeling/index.ts";
import { RequestError } from "../ui-error.ts";

/** The projects of the label room: those of the command line, and those that other rooms make. */
export interface LabelProjects {
  list(): readonly LabelProject[];
  /** Throws 404 `label/no-project`. */
  get(id: string): LabelProject;
  /** Throws where another has the id. */
  add(project: LabelProject): void;
  /** Writes what is unwritten, and lets go of the files. */
  close(): Promise<void>;
}

export function createLabelProjects(first: readonly LabelProject[] = []): LabelProjects {
  const projects = new Map<string, LabelProject>();
  const add = (project: LabelProject): void => {
    if (projects.has(project.id)) throw new RequestError(409, "label/project-exists", `there is a labeling project ${project.id} already`);
    projects.set(project.id, project);
  };
  for (const project of first) add(project);
  return {
    list: () => [...projects.values()],
    get(id) {
      const project = projects.get(id);
      if (project === undefined) throw new RequestError(404, "label/no-project", `there is no labeling project ${JSON.stringify(id)}`);
      return project;
    },
    add,
    async close() {
      const ends = await Promise.allSettled([...projects.values()].map((project) => project.close()));
      projects.clear();
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}
