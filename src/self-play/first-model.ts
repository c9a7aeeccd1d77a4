/** M1 of a self-rewarding run: M0 after SFT on instruction examples (IFT) and on judging examples (EFT). */
import { join } from "node:path";
import { specFromName } from "../data/index.ts";
import { loadRubric } from "../rewards/index.ts";
import { pickDPOKeys, type SelfRewardingConfig } from "../trainers/configs.ts";
import { buildJudgingExamples } from "./eft.ts";
import { loadPlainRows } from "./read-examples.ts";
import { writeRows } from "./rows-file.ts";
import { listLocalFiles, type Clock, type SelfPlayRun } from "./self-play-run.ts";
import { createTrainingStage, readTrainingSteps } from "./train-stage.ts";

/** M1: SFT on instruction and judging examples; without either it is M0. */
export async function trainFirst(config: SelfRewardingConfig, run: SelfPlayRun, clock: Clock): Promise<{ model: string; steps: number }> {
  const folder = join(run.root, "M1");
  const { seed } = config;
  const data: string[] = [];
  const copy = async (
    name: "ift" | "eft",
    dataset: string,
    settings: object,
    convert: (rows: Awaited<ReturnType<typeof loadPlainRows>>) => readonly object[] | Promise<readonly object[]>,
  ): Promise<void> => {
    await run.stage({
      name,
      folder,
      settings: { dataset, ...settings },
      reads: listLocalFiles([dataset, ...(name === "eft" ? [config.judge_rubric] : [])]),
      writes: [`${name}.jsonl`],
      run: async () =>
        writeRows(
          join(folder, `${name}.jsonl`),
          await convert(await loadPlainRows([specFromName({ dataset_name: dataset }, "train")], seed)),
        ),
    });
    data.push(join(folder, `${name}.jsonl`));
  };
  if (config.ift_dataset !== null) await copy("ift", config.ift_dataset, {}, (rows) => rows);
  if (config.eft_dataset !== null) {
    await copy("eft", config.eft_dataset, { rubric: config.judge_rubric }, async (rows) =>
      buildJudgingExamples(rows, await loadRubric(config.judge_rubric), { isChat: run.tokenizer.hasChatTemplate }),
    );
  }
  if (data.length === 0) return { model: run.base, steps: 0 };

  const train = async (
    name: string,
    output: string,
    model: string,
    files: readonly string[],
    epochs: number,
  ): Promise<{ model: string; steps: number }> => {
    const keys = {
      ...pickDPOKeys(config),
      learning_rate: config.sft_learning_rate,
      lr_scheduler_type: config.sft_lr_scheduler_type,
      num_train_epochs: epochs,
      per_device_train_batch_size: config.sft_batch_size,
      max_steps: -1,
    };
    const shared = Object.fromEntries(Object.entries(keys).filter(([key]) => !dpoOnly.has(key)));
    const stage = createTrainingStage({
      name,
      folder,
      output,
      method: "sft",
      model,
      data: files,
      keys: shared,
      root: run.root,
      context: run.context,
      backend: run.backend,
    });
    await run.stage(stage, clock, "training");
    return { model: join(folder, output), steps: await readTrainingSteps(folder, output) };
  };
  const judging = data.filter((file) => file.endsWith("eft.jsonl"));
  const judge =
    config.eft_first_epochs > 0 && judging.length > 0
      ? await train("judge-training", "judge", run.base, judging, config.eft_first_epochs)
      : { model: run.base, steps: 0 };
  const mixed = await train("training", "model", judge.model, data, config.sft_num_train_epochs);
  return { model: mixed.model, steps: judge.steps + mixed.steps };
}

/** DPO's keys that SFT does not know. */
const dpoOnly = new Set(
  `disable_dropout loss_type loss_weights beta label_smoothing ld_alpha f_divergence_type f_alpha_divergence_coef use_weighting discopop_tau
  precompute_ref_log_probs precompute_ref_batch_size sync_ref_model ref_model_mixup_alpha ref_model_sync_steps eval_strategy eval_on_start test_split_size`.split(
    /\s+/,
  ),
);
