/** "Prefer this one" of the Chat room: labels in a file that only grows, and the pairs that they make beside it. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { selectCurrentLabels, type Content, type LabelRow } from "../../../data/index.ts";
import { createPairsWriter, openLabelStore, type LabelStore, type PairsWriter } from "../../../labeling/index.ts";
import type { PreferenceAnswer } from "./protocol.ts";
import { RequestError } from "../ui-error.ts";

const text = z.string().max(4_000_000);
const answerSchema = z.strictObject({ model: z.string(), text });

export const preferenceSchema = z.strictObject({
  id: z.uuid(),
  form: z.enum(["messages", "text"]),
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: text }))
    .min(1)
    .max(4096),
  answers: z.tuple([answerSchema, answerSchema]),
  choice: z.enum(["left", "right", "tie", "both_bad"]),
  revises: z.uuid().optional(),
  milliseconds: z.number().min(0).max(1e12),
});

export interface PreferenceBook {
  /** On disk when it returns. @param nameOf a model's name by its id; undefined for one that has gone */
  add(request: z.output<typeof preferenceSchema>, nameOf: (id: string) => string | undefined): Promise<PreferenceAnswer>;
  close(): Promise<void>;
}

interface OpenBook {
  readonly store: LabelStore;
  readonly rows: LabelRow[];
  readonly pairs: PairsWriter;
}

const files = { labels: join("labels", "chat.jsonl"), pairs: join("labels", "chat-pairs.jsonl") };
/** Who gave the labels: nobody is asked for a name here. */
const annotator = "chat";

/** The files are opened, and made, with the first preference; the process holds them from then on. */
export function createPreferenceBook(root: string, now: () => Date = () => new Date()): PreferenceBook {
  let opened: Promise<OpenBook> | undefined;
  const open = async (): Promise<OpenBook> => {
    const store = await openLabelStore(join(root, files.labels));
    const rows = [...store.earlier];
    return { store, rows, pairs: createPairsWriter(join(root, files.pairs), () => rows, {}) };
  };
  let turn: Promise<unknown> = Promise.resolve();
  const takeTurn = <T>(body: () => Promise<T>): Promise<T> => {
    const result = turn.then(body);
    turn = result.catch(() => undefined);
    return result;
  };

  return {
    add: (request, nameOf) =>
      takeTurn(async () => {
        opened ??= open();
        const { store, rows, pairs } = await opened.catch((error: unknown) => {
          // Another server may hold the files now and not later.
          opened = undefined;
          throw error;
        });
        if (!rows.some(({ id }) => id === request.id)) {
          const row = makeRow(request, nameOf, now());
          checkFits(row, rows);
          await store.append([row]);
          rows.push(row);
          pairs.schedule();
        }
        return { saved: request.id, labels: files.labels, pairs: files.pairs, pairCount: await pairs.write() };
      }),
    close: () =>
      takeTurn(async () => {
        const book = await opened?.catch(() => undefined);
        opened = undefined;
        await book?.pairs.close();
        await book?.store.close();
      }),
  };
}

/** Two tabs do not overwrite each other: a task that has a label takes another one only in the place of just that one. */
function checkFits(row: LabelRow, rows: readonly LabelRow[]): void {
  const current = selectCurrentLabels(rows).find(({ task }) => task === row.task);
  if (current?.id === row.revises) return;
  const message =
    current === undefined
      ? "the preference that this one replaces is not there, or of other answers"
      : "these two answers have been compared already, in another tab perhaps";
  throw new RequestError(409, "ui/preference-conflict", message, { hint: "Generate an answer anew to compare again." });
}

function makeRow(
  { id, form, messages, answers, choice, revises, milliseconds }: z.output<typeof preferenceSchema>,
  nameOf: (id: string) => string | undefined,
  given: Date,
): LabelRow {
  const prompt: Content = form === "messages" ? messages : messages.map(({ content }) => content).join("");
  const shown = answers.map(({ model, text: answer }) => {
    const name = nameOf(model);
    return { text: answer, ...(name === undefined ? {} : { model: name }) };
  });
  if (shown[0].text === shown[1].text)
    throw new RequestError(400, "ui/bad-request", "answers: both are the same text, so neither is the better one");
  // The same two answers are the same task, on whichever side they were.
  const order = shown[0].text < shown[1].text ? [0, 1] : [1, 0];
  const candidates = order.map((position) => shown[position]);
  const hash = createHash("sha256").update(JSON.stringify([prompt, candidates.map((candidate) => candidate.text)]));
  const sides = ["a", "b"] as const;
  return {
    id,
    task: hash.digest("hex").slice(0, 16),
    annotator,
    prompt,
    candidates,
    choice: choice === "left" ? sides[order[0]] : choice === "right" ? sides[order[1]] : choice,
    order,
    milliseconds: Math.round(milliseconds),
    guidelines_version: 0,
    given: given.toISOString(),
    ...(revises === undefined ? {} : { revises }),
  };
}
