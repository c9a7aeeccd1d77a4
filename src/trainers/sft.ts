/** Supervised fine-tuning: cross-entropy on completions (or on all text), as TRL's SFTTrainer. */
import { packPreparedTexts, prepareTexts, selectDataset, type Dataset, type PackedText, type PreparedRows } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";
import { trainLanguageModel } from "./language-modelling.ts";
import type { SFTConfig } from "./sft-config.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { checkPositions, openTraining, prepareOptions, type Training } from "./training-setup.ts";

export async function trainSFT(config: SFTConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const training = await openTraining(config, context, { head: "lm" });
  try {
    const { backend, model, datasets, resumePoint } = training;
    const rows = await prepare(config, context, training, datasets.train, config.packing);
    const evaluation =
      datasets.evaluation === undefined
        ? undefined
        : await prepare(config, context, training, datasets.evaluation, config.eval_packing ?? config.packing, "evaluation");
    return await trainLanguageModel(config, context, { backend, model, rows, evaluation, resumePoint, save: training.save });
  } finally {
    await training.close();
  }
}

async function prepare(
  config: SFTConfig,
  context: TrainingContext,
  training: Training,
  dataset: Dataset,
  packing: boolean,
  role?: "evaluation",
): Promise<PreparedRows<PackedText>> {
  const texts = await prepareTexts(config.shuffle_dataset ? shuffleDataset(dataset, config.seed) : dataset, {
    ...prepareOptions(context, training, role),
    textColumn: config.dataset_text_field,
    maxLength: packing ? null : config.max_length,
    ...(config.completion_only_loss === null ? {} : { completionOnlyLoss: config.completion_only_loss }),
    assistantOnlyLoss: config.assistant_only_loss,
  });
  // Texts that run on (`wrapped`) take the positions of their row; in other rows each text begins anew, cut to max_length.
  const longest = config.max_length ?? Infinity;
  const runOn = packing && config.packing_strategy === "wrapped";
  const cut = texts.lengths.map((length) => Math.min(length, longest));
  if (!runOn) checkPositions(training.model, cut);
  if (!packing) return texts;
  if (config.max_length === null)
    throw new SparError("recipe/invalid", "packing: expected max_length, the length of the rows to fill; got null");
  const packed = await packPreparedTexts(texts, { maxLength: config.max_length, strategy: config.packing_strategy });
  if (runOn) checkPositions(training.model, packed.lengths);
  return packed;
}

/** The order decides what is packed together, and what a sequential run sees first. */
function shuffleDataset(dataset: Dataset, seed: number): Dataset {
  return selectDataset(dataset, new Random(seed).shuffle(Uint32Array.from({ length: dataset.count }, (_, i) => i)));
}
