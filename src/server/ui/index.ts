export { createEventHub, type EventHub, type ServedEventHub } from "./event-hub.ts";
export { openRooms, type OpenedRooms, type OpenRoomsOptions } from "./open-rooms.ts";
export { loadStaticFiles, type StaticFiles } from "./static-files.ts";
export { createUIApp, type UIAppOptions } from "./ui-app.ts";
export type { RoomName, UIDescription } from "./ui-protocol.ts";
export type { Workspace } from "./workspace.ts";
