/** The rooms that a server has, each with what it works on. Nothing of a room is loaded that was not asked for. */
import type { Hono } from "hono";
import type { LabelProject } from "../../labeling/index.ts";
import type { RoomName } from "./ui-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface OpenRoomsOptions {
  readonly names: readonly RoomName[];
  readonly workspace: Workspace;
  /** What is labelled; `close` closes them too. */
  readonly projects: readonly LabelProject[];
  /** Told of bugs. */
  readonly onError: (error: unknown) => void;
}

export interface OpenedRooms {
  readonly rooms: readonly { readonly name: RoomName; readonly routes: Hono }[];
  /** Writes what is unwritten, ends what is running, gives models' memory back. */
  close(): Promise<void>;
}

export async function openRooms({ names, workspace, projects: first, onError }: OpenRoomsOptions): Promise<OpenedRooms> {
  const { root, runsFolders, hub } = workspace;
  const { createLabelProjects } = await import("./label/projects.ts");
  const projects = createLabelProjects(first);
  const closing: (() => Promise<void>)[] = [() => projects.close()];
  const usesModels = names.includes("samples") || names.includes("chat");
  const pool = usesModels ? (await import("./model-pool.ts")).createModelPool(workspace) : undefined;
  if (pool !== undefined) closing.unshift(() => pool.close());
  const openRoom = async (name: RoomName): Promise<Hono> => {
    switch (name) {
      case "label": {
        const { createLabelRoutes } = await import("./label/routes.ts");
        return createLabelRoutes({ projects, hub });
      }
      case "runs": {
        const { createRunsRoutes } = await import("./runs/routes.ts");
        return createRunsRoutes({ root, runsFolders, hub });
      }
      case "samples": {
        const { createSamplesRoutes } = await import("./samples/routes.ts");
        const { routes, reopenStudies } = createSamplesRoutes({ workspace, pool: pool!, room: projects, onError });
        await reopenStudies();
        return routes;
      }
      case "chat": {
        const { createChatRoutes } = await import("./chat/routes.ts");
        const { routes, close } = createChatRoutes({ workspace, pool: pool!, onError });
        closing.unshift(close);
        return routes;
      }
    }
  };
  const rooms: { name: RoomName; routes: Hono }[] = [];
  for (const name of names) rooms.push({ name, routes: await openRoom(name) });
  return {
    rooms,
    async close() {
      const ends: PromiseSettledResult<void>[] = [];
      for (const close of closing) ends.push(...(await Promise.allSettled([close()])));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}
