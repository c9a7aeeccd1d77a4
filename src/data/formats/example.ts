/** A turn of a conversation. Further keys (`tool_calls`, `name` …) go to the chat template untouched. */
export type Message = { role: string; content: string; [key: string]: unknown };

/** Text, or a conversation to be rendered by the chat template. */
export type Content = string | Message[];

/** Language modelling on text, messages, a prompt with its completion, or ids made elsewhere (mask 1 = trained on). */
export type TextExample =
  | { kind: "text"; text: string }
  | { kind: "messages"; messages: Message[] }
  | { kind: "prompt-completion"; prompt: Content; completion: Content }
  | { kind: "ids"; inputIds: number[]; mask: Uint8Array };

/** Prompt and completions are both text or both messages; `pair-ids` are whole sequences made elsewhere. */
export type PreferenceExample =
  | { kind: "preference"; prompt: Content; chosen: Content; rejected: Content; margin?: number }
  | { kind: "pair-ids"; chosenIds: number[]; rejectedIds: number[]; margin?: number };

export type PromptExample = { kind: "prompt"; prompt: Content };

export type UnpairedExample = { kind: "unpaired"; prompt: Content; completion: Content; label: boolean };

/** What data are read for; it decides which form a row takes where its columns allow several. */
export type Purpose = "text" | "preference" | "prompt" | "unpaired";

export type ExampleFor = {
  text: TextExample;
  preference: PreferenceExample;
  prompt: PromptExample;
  unpaired: UnpairedExample;
};
