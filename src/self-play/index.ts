export { trainSelfRewarding } from "./self-rewarding.ts";
export { trainSPIN } from "./spin.ts";
export { findStaleFile } from "./stage.ts";
