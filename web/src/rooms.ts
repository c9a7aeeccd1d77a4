/** The rooms, in the order of the navigation. Each comes with its first visit. */
import type { ComponentType } from "preact";
import type { RoomName } from "../../src/server/ui/ui-protocol.ts";
import type { IconName } from "./components/icon.tsx";

/** `route`: what follows `#/NAME/` in the address, as it stands there. */
export type RoomProps = { route: string };

export interface RoomEntry {
  readonly name: RoomName;
  readonly title: string;
  readonly icon: IconName;
  readonly load: () => Promise<{ default: ComponentType<RoomProps> }>;
}

export const roomEntries: readonly RoomEntry[] = [
  { name: "label", title: "Label", icon: "label", load: () => import("./rooms/label/label-room.tsx") },
  { name: "runs", title: "Runs", icon: "runs", load: () => import("./rooms/runs/runs-room.tsx") },
  { name: "samples", title: "Samples", icon: "samples", load: () => import("./rooms/samples/samples-room.tsx") },
  { name: "chat", title: "Chat", icon: "chat", load: () => import("./rooms/chat/chat-room.tsx") },
];
