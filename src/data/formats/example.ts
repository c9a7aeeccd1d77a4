/** A turn of a conversation. Further keys (`tool_calls`, `name` …) go to the chat template untouched. */
export type Message = { role: string; content: string; [key: string]: unknown };

/** Text, or a conversation to be rendered by the chat template. */
export type Content = string | Message[];

/** What a row gives its chat template besides messages (columns `tools` and `chat_template_kwargs`, as in TRL). */
export type ChatExtras = { tools?: readonly unknown[]; variables?: { [name: string]: unknown } };

/** Language modelling on text, messages, a prompt with its completion, or ids made elsewhere (mask 1 = trained on). */
export type TextExample =
  | { kind: "text"; text: string }
  | { kind: "messages"; messages: Message[]; chat?: ChatExtras }
  | { kind: "prompt-completion"; prompt: Content; completion: Content; chat?: ChatExtras }
  | { kind: "ids"; inputIds: number[]; mask: Uint8Array };

/** Prompt and completions are both text or both messages; `pair-ids` are whole sequences made elsewhere. */
export type PreferenceExample =
  | { kind: "preference"; prompt: Content; chosen: Content; rejected: Content; margin?: number; chat?: ChatExtras }
  | { kind: "pair-ids"; chosenIds: number[]; rejectedIds: number[]; margin?: number };

export type PromptExample = { kind: "prompt"; prompt: Content; chat?: ChatExtras };

export type UnpairedExample = { kind: "unpaired"; prompt: Content; completion: Content; label: boolean; chat?: ChatExtras };

/** What data are read for; it decides which form a row takes where its columns allow several. */
export type Purpose = "text" | "preference" | "prompt" | "unpaired";

export type ExampleFor = {
  text: TextExample;
  preference: PreferenceExample;
  prompt: PromptExample;
  unpaired: UnpairedExample;
};
