/**
 * What the labeling page and the server say to each other, below `/api/label`. The page is blind: answers come in the order in
 * which they are shown, without names of models, and what is chosen goes back in that order; only the server knows whose they are.
 *
 *   GET  /projects                          → ProjectSummary[]
 *   GET  /projects/:project                 → Project
 *   POST /projects/:project/next            NextRequest → NextAnswer
 *   POST /projects/:project/labels          SubmitRequest → SubmitAnswer     (synced to disk before the answer is sent)
 *   GET  /projects/:project/history?annotator=NAME&limit=N  → GivenLabel[]    newest first
 *   GET  /projects/:project/statistics      → Statistics
 *   GET  /projects/:project/disagreements   → Disagreement[]                  most divided first
 *   PUT  /projects/:project/guidelines      GuidelinesUpdate → Guidelines     (409 where `after` is not the newest version)
 *
 * Live topic (see event-hub.ts): `label:PROJECT`, data: Progress.
 */

export type LabelMode = "pair" | "ranking" | "rating";

/** `left`, `right`: of the two answers as shown. The last four make no pair by default, and are four different things. */
export type Choice = "left" | "right" | "tie" | "both_bad" | "skip" | "flag";

export interface ShownMessage {
  readonly role: string;
  readonly content: string;
}

export interface ProjectSummary {
  readonly id: string;
  /** The file's name. */
  readonly name: string;
  readonly mode: LabelMode;
  readonly progress: Progress;
}

export interface Project extends ProjectSummary {
  readonly guidelines: Guidelines;
  /** What may be said of a choice by a click: `more helpful`, `wrong facts` … */
  readonly reasonTags: readonly string[];
  /** Ratings go from 1 to this. */
  readonly ratingMax: number;
  readonly annotators: readonly string[];
  readonly order: "file" | "random" | "uncertain";
  /** Where the training pairs are written, as a command that is started where spar was takes it. */
  readonly pairsFile: string;
}

export interface Progress {
  /** Labels asked for: tasks times labels per task, overlap included. */
  readonly wanted: number;
  readonly given: number;
  readonly tasks: number;
  /** In the answers to `next` and `labels`, where more than 20 people label: only who asks. The topic and GET have everybody. */
  readonly annotators: { readonly [name: string]: AnnotatorProgress };
}

export interface AnnotatorProgress {
  readonly done: number;
  /** Tasks still open to this annotator. */
  readonly left: number;
  /** Labels an hour over the last 20; null before there are two. */
  readonly perHour: number | null;
  /** Seconds; null before there is a label. */
  readonly medianSeconds: number | null;
}

export interface Guidelines {
  /** 1, 2, … ; 0 and an empty text where there are none. */
  readonly version: number;
  /** Markdown. */
  readonly text: string;
}

export interface GuidelinesUpdate {
  readonly text: string;
  /** The version that was edited. */
  readonly after: number;
}

export interface NextRequest {
  readonly annotator: string;
  /** Random, one a tab: two tabs of one person do not get the same task. */
  readonly tab: string;
  /** Ids of tasks that the tab holds already: their lease is renewed, and they do not come again. */
  readonly held: readonly string[];
  /** How many more to hand out, at most 10; 0 only renews the leases, which end after 5 minutes. */
  readonly count: number;
}

export interface NextAnswer {
  readonly tasks: readonly ShownTask[];
  readonly progress: Progress;
}

export interface ShownTask {
  /** Not the task's id alone: it also says, to the server, which answer is shown where. To be sent back as it came. */
  readonly id: string;
  readonly prompt: string | readonly ShownMessage[];
  /** As displayed: left first. */
  readonly answers: readonly string[];
}

export interface SubmitRequest {
  readonly labels: readonly SubmittedLabel[];
}

export interface SubmittedLabel {
  /** A UUID made by the page; sending the same label twice stores it once. */
  readonly id: string;
  readonly task: string;
  readonly annotator: string;
  /** Pairs: the choice. Rankings and ratings: null, or `skip`, `flag`, `both_bad` (all bad). An undo: null. */
  readonly choice: Choice | null;
  /** How much better: 1 slightly, 2 clearly, 3 much. */
  readonly strength?: 1 | 2 | 3;
  /** Positions of answers as displayed, best first; answers in the same group are as good as each other. */
  readonly ranking?: readonly (readonly number[])[];
  /** One an answer as displayed, 1 … ratingMax; null: not rated. */
  readonly ratings?: readonly (number | null)[];
  /** A better text for one of the answers; it becomes the chosen one, and the answer as it was the rejected one. */
  readonly edit?: { readonly answer: number; readonly text: string };
  readonly reasons?: readonly string[];
  readonly comment?: string;
  /** Between showing the task and the choice. */
  readonly milliseconds: number;
  readonly guidelinesVersion: number;
  /** An earlier label of the same annotator that this one takes the place of. */
  readonly revises?: string;
  /** An earlier label of the same annotator that is taken back; the task is open again. */
  readonly undoes?: string;
}

export interface SubmitAnswer {
  /** Ids that are on disk now, those that were there already included. */
  readonly saved: readonly string[];
  /** `already-labelled`: the same annotator did it in another tab. */
  readonly refused: readonly {
    readonly id: string;
    readonly code: "already-labelled" | "unknown-task" | "invalid";
    readonly message: string;
  }[];
  readonly progress: Progress;
}

export interface GivenLabel {
  readonly label: SubmittedLabel;
  readonly task: ShownTask;
  /** ISO 8601. */
  readonly given: string;
  readonly state: "current" | "revised" | "undone";
}

export interface Statistics {
  readonly labels: number;
  readonly choices: { readonly [choice in Choice]: number };
  readonly agreement: Agreement;
  /** Everybody, then each annotator. */
  readonly bias: readonly Bias[];
  readonly pairs: { readonly usable: number; readonly ties: number };
}

export interface Agreement {
  /** Tasks that at least two people have labelled. */
  readonly tasks: number;
  /** Share of pairs of labels that are equal, 0–1; null without such tasks. */
  readonly raw: number | null;
  readonly rawWithoutTies: number | null;
  /** Nominal, over all annotators, missing labels allowed. */
  readonly krippendorffAlpha: number | null;
  readonly krippendorffAlphaWithoutTies: number | null;
  /** Each two annotators with tasks in common. */
  readonly cohen: readonly {
    readonly a: string;
    readonly b: string;
    readonly tasks: number;
    readonly raw: number;
    readonly kappa: number | null;
  }[];
}

export interface Bias {
  /** Null: everybody. */
  readonly annotator: string | null;
  readonly left: number;
  readonly right: number;
  /** Two-sided, of left = right; null without a choice. */
  readonly binomialP: number | null;
  /** Pearson's r of "left was chosen" with the difference of lengths in characters, left minus right; null where undefined. */
  readonly lengthCorrelation: number | null;
  /** Share of labels faster than 3 seconds. */
  readonly tooFast: number;
}

export interface Disagreement {
  /** In the order of the file, not as anybody saw it. */
  readonly task: ShownTask;
  readonly labels: readonly {
    readonly annotator: string;
    /** `left` is the task's first answer here. */
    readonly choice: Choice | null;
    readonly ranking?: readonly (readonly number[])[];
    readonly ratings?: readonly (number | null)[];
    readonly reasons: readonly string[];
    readonly comment: string;
  }[];
  /** 0: all agree, 1: as divided as can be. */
  readonly entropy: number;
}
