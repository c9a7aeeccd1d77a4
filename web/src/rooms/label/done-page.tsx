/** No task is left for this person: what came out, and what to do with it. */
import { Command } from "../../components/command.tsx";
import { Icon } from "../../components/icon.tsx";
import { labelApi } from "./label-api.ts";
import type { LabelSession } from "./label-session.ts";
import { useFresh } from "./use-fresh.ts";

export function DonePage({ session }: { session: LabelSession }) {
  const { id, pairsFile } = session.project;
  const progress = session.progress.value;
  const left = progress.annotators[session.annotator]?.left ?? 0;
  const isTeamDone = progress.given >= progress.wanted;
  const statistics = useFresh(() => labelApi.statistics(id), session.changes.value);
  return (
    <div class="label-page label-done">
      <span class="empty-icon">
        <Icon name="check" size={24} />
      </span>
      <h1>{left > 0 ? "Nothing to label at the moment" : isTeamDone ? "All is labelled" : "You are done"}</h1>
      <p>
        {left > 0
          ? `The ${String(left)} ${left === 1 ? "task that is" : "tasks that are"} still open to you ${left === 1 ? "is" : "are"} on somebody else's screen. This page goes on by itself when one comes free.`
          : isTeamDone
            ? "Every label that was asked for has been given."
            : "The tasks that are left are for others. This page goes on by itself when one comes back to you."}
      </p>
      {statistics !== null && statistics.labels > 0 && (
        <>
          <dl class="label-numbers">
            <div>
              <dt>labels</dt>
              <dd>{statistics.labels}</dd>
            </div>
            <div>
              <dt>training pairs</dt>
              <dd>{statistics.pairs.usable}</dd>
            </div>
            <div>
              <dt>ties</dt>
              <dd>{statistics.pairs.ties}</dd>
            </div>
          </dl>
          {statistics.pairs.usable === 0 ? (
            <p>Nothing to train on so far: only answers that more people prefer than not make a pair.</p>
          ) : (
            <>
              <h2>What next</h2>
              <p>Train a reward model on the pairs, and the model by its scores:</p>
              <Command text={`spar reward --model_name_or_path MODEL --dataset_name ${pairsFile} --output_dir runs/reward`} />
              <Command
                text={`spar ppo --sft_model_path MODEL --reward_model_path runs/reward --dataset_name ${pairsFile} --output_dir runs/ppo`}
              />
              <p>or the model itself, without a reward model between:</p>
              <Command text={`spar dpo --model_name_or_path MODEL --dataset_name ${pairsFile} --output_dir runs/dpo`} />
            </>
          )}
        </>
      )}
      <div class="label-done-links">
        <a href={`#/label/${encodeURIComponent(id)}/statistics`}>Statistics</a>
        <a href={`#/label/${encodeURIComponent(id)}/disagreements`}>Disagreements</a>
        <a href={`#/label/${encodeURIComponent(id)}/history`}>Your labels</a>
      </div>
    </div>
  );
}
