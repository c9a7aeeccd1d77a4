/** Codes of events in plain words: what they mean and what to do. The longer answers are in docs/. */
import type { Explanation } from "./protocol.ts";

const explanations: { readonly [code: string]: Explanation } = {
  "dpo/both-fall": {
    meaning: "Both sides become less likely, so their probability goes to texts that are in no pair. Most DPO runs do so.",
    advice:
      "Read the samples, or compare answers of before and after. Where they are worse: loss_type: [sigmoid, sft] with loss_weights: [1, 0.1], a larger beta, apo_zero, or fewer steps (docs/dpo.md).",
  },
  "dpo/reference-not-cached": {
    meaning: "The reference's log-probs could not be written to the cache; they are computed again next time.",
    advice: "Free some space or make the cache folder writable. The run itself is not affected.",
  },
  "rollout/completions-cut": {
    meaning: "Prompt and completion together do not fit the model's positions, so that these completions are shorter than response_length.",
    advice: "Lower response_length, or set max_prompt_length so that long prompts are left out.",
  },
  "rewards/unscored": {
    meaning: "No reward gave a score to these completions, so nothing is learnt from them.",
    advice:
      "Look at the samples of that step. A judge that cannot be reached, or rules that fit no answer, are the usual reasons (docs/judges.md).",
  },
  "data/rows-dropped": {
    meaning: "Rows that cannot be learnt from were left out: nothing to learn in them, or longer than max_length allows.",
    advice: "The message says how many and why. Where it is most of the data, raise max_length or look at the file.",
  },
  "data/rows-truncated": {
    meaning: "Rows were longer than max_length and were cut; what was cut off is not learnt.",
    advice: "Raise max_length if the ends matter and memory allows.",
  },
  "data/no-eos": {
    meaning: "The tokenizer has no end token, so that the model cannot learn where to stop.",
    advice: "Set eos_token in the model's tokenizer_config.json, or cut answers by length.",
  },
  "data/prompt-boundary": {
    meaning: "Prompt and completion share a token at their boundary, so that the completion starts earlier than it says.",
    advice: "End the prompt or begin the completion with a space or a newline, everywhere in the same way.",
  },
  "recipe/note": { meaning: "Something about the recipe that should be known.", advice: "Read the message; the run goes on." },
  "recipe/keys-ignored": {
    meaning: "These keys are TRL's and mean nothing here.",
    advice: "Nothing; or remove them from the recipe.",
  },
  "run/recipe-changed": {
    meaning: "The run was resumed with other values than it was started with: its curves are of two recipes.",
    advice: "If that was not meant, resume with the config.yaml of the run's folder.",
  },
  "run/no-checkpoint": {
    meaning: "Resuming was asked for, and there was no whole checkpoint: the run began anew.",
    advice: "Set save_strategy: steps and save_steps, so that there is something to go on from.",
  },
  "run/control-unknown": {
    meaning: "The control file held a word that is not stop, pause or save; it was removed.",
    advice: "Use the buttons of this page, or write exactly one of these words.",
  },
  "run/stopped": { meaning: "The run was asked to stop, and saved a checkpoint first.", advice: "The same command with --resume goes on." },
  "run/interrupted": { meaning: "The run was interrupted, and saved first.", advice: "The same command with --resume goes on." },
  "checkpoint/not-whole": {
    meaning: "A crash or a copy damaged this checkpoint; it was passed over.",
    advice: "Delete the folder. The run goes on from an earlier one.",
  },
  "checkpoint/retired": {
    meaning: "The run goes on from an earlier checkpoint; the later ones were renamed, so that they are not taken for its own.",
    advice: "Delete the retired- folders when you do not need them.",
  },
  "stage/edited-set-aside": {
    meaning: "A file that was edited by hand had to be made anew, because what it is made from has changed.",
    advice: "Your version is beside it, with the ending .edited.",
  },
  "self-play/stopped": {
    meaning: "A stop rule ended the iterations: the watched figures say that a further model would be worse or no better.",
    advice: "Compare the models under M1, M2 …; the last one is not always the best (docs/self-play.md).",
  },
  "self-play/empty-answers": {
    meaning: "Many answers are empty: the model learnt to end at once, or prompts already hold the answer.",
    advice: "Look at samples, and at how the prompts end; start from an earlier model if it was not so there (docs/self-play.md).",
  },
  "tracking/failed": {
    meaning: "A tracker failed and gets no more rows. Training goes on, and the run's folder has everything.",
    advice: "The message has the tracker's own words: usually network, a key or a full disk.",
  },
  "tracking/slow": {
    meaning: "A tracker took long to take a row.",
    advice: "Usually a slow disk or network. Training goes on.",
  },
  "tracking/not-available": { meaning: "report_to names a tracker that spar does not have.", advice: "Remove it from report_to." },
  "training/non-finite": {
    meaning: "A loss or gradient became NaN or infinite. The run ended, and the state before that step was saved.",
    advice: "A lower learning_rate, a longer warmup, max_grad_norm: 1; then look at the rows that the message names.",
  },
  "file/disk-full": { meaning: "The disk is full.", advice: "Free some space, then the same command with --resume." },
  "hub/no-network": {
    meaning: "A model or data set was looked for on the hub, and the hub could not be reached.",
    advice: "Check the name: what is no folder here is taken for a hub id. Then the network.",
  },
  "internal/bug": { meaning: "A bug in spar.", advice: "Please report it with the message and the recipe." },
};

export function explainEvent(code: string): Explanation | null {
  return Object.hasOwn(explanations, code) ? explanations[code] : null;
}
