/**
 * What the Chat page and the server say to each other, below `/api/chat`.
 *
 *   GET  /models             → ModelEntry[]       what can be talked with, or scored with; looked for anew at each call
 *   GET  /models/:id         → ModelDetails       loads the model where it is not in memory
 *   POST /stream             StreamRequest → server-sent events, each a StreamEvent; leaving ends the generation
 *   POST /preferences        PreferenceRequest → PreferenceAnswer     (synced to disk before the answer is sent)
 */

/** `score`: a reward model, which gives texts a number and cannot talk. */
export type ModelKind = "language" | "score";

/** Where it was found; `given` on the command line, `shipped` with spar. */
export type ModelOrigin = "given" | "run" | "checkpoint" | "folder" | "shipped";

export interface ModelEntry {
  /** Opaque and lasting: what requests call it. */
  readonly id: string;
  /** Short, and different from all others in the list. */
  readonly name: string;
  readonly kind: ModelKind;
  readonly origin: ModelOrigin;
  /** `llama`, `gpt2` …; empty where only loading tells. */
  readonly architecture: string;
  /** The method of the run that made it: `ppo`; null where no run did. */
  readonly method: string | null;
  /** Of a checkpoint. */
  readonly step: number | null;
  /** ISO 8601, of its newest file; null where that is not on this disk yet. */
  readonly modified: string | null;
  readonly isLoaded: boolean;
}

export interface ModelDetails {
  readonly id: string;
  readonly name: string;
  /** Without one, the conversation's texts are joined and continued. */
  readonly hasChatTemplate: boolean;
  readonly maxPositions: number;
  readonly parameters: number;
  /** Out of generation_config.json where there is one. */
  readonly sampling: Sampling;
}

export interface Sampling {
  readonly maxNewTokens: number;
  /** 0: the likeliest token each time. */
  readonly temperature: number;
  /** 1: off. */
  readonly topP: number;
  /** 0: off. */
  readonly topK: number;
  /** 0: off. */
  readonly minP: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
}

export interface TalkMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface StreamRequest {
  readonly model: string;
  /** The last is what is to be answered, or text to be continued. */
  readonly messages: readonly TalkMessage[];
  readonly sampling: Partial<Sampling>;
  readonly seed: number;
}

export interface TokenText {
  readonly text: string;
  /** Natural logarithm of its probability at the temperature, before penalty and filters. */
  readonly logprob: number;
}

/** One token, and the text that came with it: none within a character. */
export interface TokenPiece {
  readonly text: string;
  /** Absent for text that was held back until the end. */
  readonly token?: TokenText & {
    /** Likeliest first. */
    readonly top: readonly TokenText[];
    /** An end token, which has no text. */
    readonly ends: boolean;
  };
}

export type StreamEvent =
  /** Loading a large model takes a while. */
  | { readonly type: "loading" }
  | {
      readonly type: "start";
      readonly mode: "chat" | "text";
      readonly promptTokens: number;
      /** Turns at the start that no longer fit into the model's positions. */
      readonly leftOut: number;
      readonly maxPositions: number;
    }
  | { readonly type: "piece"; readonly piece: TokenPiece }
  | {
      readonly type: "end";
      readonly finishReason: "stop" | "length";
      readonly text: string;
      readonly tokens: number;
      readonly seconds: number;
    }
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly hint?: string };

export interface PreferenceAnswerText {
  /** A ModelEntry's id. */
  readonly model: string;
  readonly text: string;
}

export interface PreferenceRequest {
  /** A UUID made by the page; sending the same twice stores it once. */
  readonly id: string;
  /** What stands before the answers. */
  readonly messages: readonly TalkMessage[];
  /** `text` where neither model has a chat template: the messages are one running text then. */
  readonly form: "messages" | "text";
  /** As shown: left first. */
  readonly answers: readonly [PreferenceAnswerText, PreferenceAnswerText];
  readonly choice: "left" | "right" | "tie" | "both_bad";
  /** The preference given before to the same two answers, which this one takes the place of. */
  readonly revises?: string;
  /** Milliseconds between the end of the later answer and the choice. */
  readonly milliseconds: number;
}

export interface PreferenceAnswer {
  readonly saved: string;
  /** Files below the workspace. */
  readonly labels: string;
  readonly pairs: string;
  /** Pairs in the file now. */
  readonly pairCount: number;
}
