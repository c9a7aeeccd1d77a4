export type { ServedModel } from "./completion-service.ts";
export { isLoopback } from "./guard.ts";
export { createStudioBackend } from "./label-studio-backend.ts";
export { listen, type ListenOptions, type RunningServer } from "./listen.ts";
export { createOpenAIApp, type AppOptions } from "./openai-app.ts";
