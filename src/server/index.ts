export type { ServedModel } from "./completion-service.ts";
export { isLoopback } from "./guard.ts";
export { createStudioBackend } from "./label-studio-backend.ts";
export { listen, type ListenOptions, type RunningServer } from "./listen.ts";
export { createOpenAIApp, type AppOptions } from "./openai-app.ts";
export {
  createEventHub,
  createUIApp,
  type EventHub,
  loadStaticFiles,
  openRooms,
  type RoomName,
  type ServedEventHub,
  type StaticFiles,
  type UIAppOptions,
  type Workspace,
} from "./ui/index.ts";
