/** The training's own preparation of its data, and what it would do to the rows. */
import { packTexts, preparePairs, preparePrompts, prepareTexts, type PrepareOptions, type Row } from "../data/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { findingOfEvent, type Finding } from "./finding.ts";
import type { OpenedRecipe } from "./open-recipe.ts";
import type { RowLength } from "./plan-batches.ts";

export interface Survey {
  readonly findings: readonly Finding[];
  /** Of each training row: what the batches are made of. */
  readonly lengths: readonly RowLength[];
  /** The row of the data set that training row `index` is made from; undefined where rows are packed. */
  readonly source: ((index: number) => number) | undefined;
  readonly isChat: boolean;
  /** A few rows' prompts (PPO), for the checks that generate. */
  readonly prompts: readonly { readonly promptIds: readonly number[]; readonly row: Row }[];
  close(): Promise<void>;
}

/** Pretraining text is measured on so many rows. */
const sampledTexts = 2000;

/** Throws what the training's preparation would throw. */
export async function surveyData(recipe: ResolvedRecipe, opened: OpenedRecipe, signal?: AbortSignal): Promise<Survey> {
  const findings: Finding[] = [];
  const options: PrepareOptions = {
    tokenizer: opened.tokenizer,
    ...(signal === undefined ? {} : { signal }),
    onEvent(event) {
      const finding = findingOfEvent(event);
      if (finding !== undefined) findings.push(finding);
    },
  };
  const first = await opened.dataset.read(0);
  const isChat = Object.values(first).some(
    (value) =>
      Array.isArray(value) && value.some((turn) => typeof turn === "object" && turn !== null && ("role" in turn || "from" in turn)),
  );
  const add =
    recipe.method === "ppo"
      ? surveyPrompts
      : recipe.method === "reward" || recipe.method === "dpo"
        ? surveyPairs
        : recipe.method === "sft"
          ? surveyTexts
          : surveyBlocks;
  const survey = await add(recipe as never, opened, options, findings);
  const longest = survey.positions.reduce((a, b) => Math.max(a, b), 0);
  const { maxPositions } = opened.sizes;
  if (longest > maxPositions) {
    const over = survey.positions.filter((length) => length > maxPositions).length;
    const isPPO = recipe.method === "ppo";
    findings.push({
      code: "doctor/positions",
      level: "error",
      found: `${over} of ${survey.positions.length} ${isPPO ? "prompts leave no room for response_length" : "rows are longer than the model"}: up to ${longest} tokens${isPPO ? " with the response" : ""}, the model has ${maxPositions} positions`,
      why: isPPO ? "their completions are cut short, or generation refuses the prompt" : "positions beyond have no meaning to the model",
      action: isPPO
        ? `set max_prompt_length to at most ${maxPositions - (recipe as Recipe<"ppo">).config.response_length}`
        : `set max_length to at most ${maxPositions}`,
    });
  }
  return { findings, isChat, ...survey };
}

type Recipe<M extends ResolvedRecipe["method"]> = Extract<ResolvedRecipe, { method: M }>;
type Part = Omit<Survey, "findings" | "isChat"> & {
  /** Positions that each row needs. */
  readonly positions: readonly number[];
};

async function surveyTexts(
  { config }: Recipe<"sft">,
  { dataset, tokenizer }: OpenedRecipe,
  options: PrepareOptions,
  findings: Finding[],
): Promise<Part> {
  const rows = await prepareTexts(dataset, {
    ...options,
    textColumn: config.dataset_text_field,
    maxLength: config.packing ? null : config.max_length,
    ...(config.completion_only_loss === null ? {} : { completionOnlyLoss: config.completion_only_loss }),
    assistantOnlyLoss: config.assistant_only_loss,
  });
  let ended = 0;
  const lengths: RowLength[] = [];
  for (let i = 0; i < rows.count; i++) {
    const { inputIds, completionMask } = await rows.read(i);
    if (learnsEnd(inputIds, completionMask, tokenizer)) ended++;
    lengths.push({ tokens: inputIds.length, scored: completionMask.reduce((sum, one) => sum + one, 0) });
  }
  if (tokenizer.eosId !== undefined && ended === 0) {
    findings.push({
      code: "doctor/no-eos-in-data",
      level: "warning",
      found: `none of ${rows.count} rows ends with the end token as something to learn`,
      why: "the model does not learn to stop",
      action:
        rows.truncated > 0
          ? "raise max_length: rows are cut before their end"
          : "check eos_token against what ends a turn in the chat template (with assistant_only_loss: within its generation block), or the ids in the data",
    });
  }
  const base = { prompts: [], close: () => rows.close() };
  if (!config.packing || config.max_length === null)
    return { ...base, lengths, source: (i) => rows.source(i), positions: lengths.map(({ tokens }) => tokens) };
  const share = lengths.reduce((sum, { scored }) => sum + scored, 0) / lengths.reduce((sum, { tokens }) => sum + tokens, 0);
  const packed = packTexts(
    lengths.map(({ tokens }) => ({ inputIds: new Array<number>(tokens).fill(0), completionMask: new Uint8Array(tokens) })),
    { maxLength: config.max_length, strategy: config.packing_strategy },
  );
  const packedLengths = packed.map(({ inputIds }) => ({ tokens: inputIds.length, scored: Math.ceil(share * inputIds.length) }));
  return { ...base, lengths: packedLengths, source: undefined, positions: packed.flatMap(({ seqLengths }) => [...(seqLengths ?? [])]) };
}

/** Whether the loss looks at an end token after which there is no more text: ChatML's templates put a line break there. */
function learnsEnd(ids: readonly number[], completionMask: Uint8Array, { eosId, decode }: Tokenizer): boolean {
  const at = eosId === undefined ? -1 : ids.lastIndexOf(eosId);
  return at > 0 && completionMask[at] === 1 && decode(ids.slice(at + 1)).trim() === "";
}

async function surveyPairs(
  { config, method }: Recipe<"reward"> | Recipe<"dpo">,
  { dataset }: OpenedRecipe,
  options: PrepareOptions,
  findings: Finding[],
): Promise<Part> {
  const isDPO = method === "dpo";
  const rows = await preparePairs(dataset, { ...options, maxLength: config.max_length, overflow: isDPO ? "keep_start" : "drop" });
  const lengths: RowLength[] = [];
  let equal = 0;
  for (let i = 0; i < rows.count; i++) {
    const { promptIds, chosenIds, rejectedIds } = await rows.read(i);
    const completions = chosenIds.length + rejectedIds.length;
    lengths.push({ tokens: promptIds.length + completions, scored: isDPO ? completions : 2 });
    if (chosenIds.length === rejectedIds.length && chosenIds.every((id, t) => id === rejectedIds[t])) equal++;
  }
  if (equal > 0) {
    findings.push({
      code: "doctor/equal-pairs",
      level: "warning",
      found: `in ${equal} of ${rows.count} pairs both answers are the same tokens`,
      why: "nothing can be learnt from them, and accuracy counts them as wrong",
      action: "leave them out, or look at how the pairs were made",
    });
  }
  return { lengths, source: (i) => rows.source(i), positions: [...rows.lengths], prompts: [], close: () => rows.close() };
}

async function surveyPrompts({ config }: Recipe<"ppo">, { dataset }: OpenedRecipe, options: PrepareOptions): Promise<Part> {
  const rows = await preparePrompts(dataset, { ...options, maxPromptLength: config.max_prompt_length });
  const lengths = Array.from(rows.lengths, (length) => ({ tokens: length + config.response_length, scored: config.response_length }));
  const every = Math.max(1, Math.floor(rows.count / 16));
  const prompts = [];
  for (let i = 0; i < rows.count && prompts.length < 16; i += every) prompts.push(await rows.read(i));
  return { lengths, source: (i) => rows.source(i), positions: lengths.map(({ tokens }) => tokens), prompts, close: () => rows.close() };
}

async function surveyBlocks(
  { config }: Recipe<"pretrain">,
  { dataset, tokenizer }: OpenedRecipe,
  options: PrepareOptions,
  findings: Finding[],
): Promise<Part> {
  const every = Math.max(1, Math.floor(dataset.count / sampledTexts));
  let [tokens, read] = [0, 0];
  for (let i = 0; i < dataset.count; i += every, read++) {
    const text = (await dataset.read(i))[config.dataset_text_field];
    tokens += (typeof text === "string" ? tokenizer.encode(text, { addSpecialTokens: false }).length : 0) + 1;
    if (read % 64 === 0) options.signal?.throwIfAborted();
  }
  const blocks = Math.floor((tokens / read) * (dataset.count / config.block_size));
  if (blocks === 0) {
    findings.push({
      code: "doctor/too-little-text",
      level: "error",
      found: `the text has about ${Math.round((tokens / read) * dataset.count)} tokens, a row ${config.block_size}`,
      why: "there is not one row to train on",
      action: "lower block_size, or give more text",
    });
  }
  return {
    lengths: Array.from({ length: Math.max(1, blocks) }, () => ({ tokens: config.block_size, scored: config.block_size - 1 })),
    source: undefined,
    positions: [],
    prompts: [],
    close: async () => {},
  };
}
