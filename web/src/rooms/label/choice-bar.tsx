/** The buttons below the answers, each with its key. */
import type { ComponentChildren } from "preact";
import type { Choice, LabelMode } from "../../../../src/server/ui/label/protocol.ts";
import { KeyCap } from "./key-cap.tsx";

export interface ChoiceBarProps {
  readonly mode: LabelMode;
  /** The choice that was given, when a label is looked at again. */
  readonly given: Choice | null;
  readonly canSubmit: boolean;
  readonly allBadKey: string | null;
  readonly canUndo: boolean;
  readonly onChoose: (choice: "left" | "right" | "tie" | "both_bad") => void;
  readonly onSubmit: () => void;
  readonly onAsk: (kind: "skip" | "flag") => void;
  readonly onUndo: () => void;
}

export function ChoiceBar({ mode, given, canSubmit, allBadKey, canUndo, onChoose, onSubmit, onAsk, onUndo }: ChoiceBarProps) {
  return (
    <div class={`label-choices is-${mode}`} role="group" aria-label="Your choice">
      {mode === "pair" ? (
        <>
          <ChoiceButton name="left" keys="1" shortcuts="1 ArrowLeft" isGiven={given === "left"} onPress={() => onChoose("left")}>
            A better
          </ChoiceButton>
          <ChoiceButton name="tie" keys="3" shortcuts="3 ArrowUp =" isGiven={given === "tie"} onPress={() => onChoose("tie")}>
            Tie
          </ChoiceButton>
          <ChoiceButton
            name="both-bad"
            keys="0"
            shortcuts="0 ArrowDown"
            isGiven={given === "both_bad"}
            onPress={() => onChoose("both_bad")}
          >
            Both bad
          </ChoiceButton>
          <ChoiceButton name="right" keys="2" shortcuts="2 ArrowRight" isGiven={given === "right"} onPress={() => onChoose("right")}>
            B better
          </ChoiceButton>
        </>
      ) : (
        <>
          <button type="button" class="label-choice is-submit" aria-keyshortcuts="Enter" disabled={!canSubmit} onClick={onSubmit}>
            Submit <KeyCap keys="Enter" />
          </button>
          <ChoiceButton name="both-bad" keys={allBadKey} isGiven={given === "both_bad"} onPress={() => onChoose("both_bad")}>
            All bad
          </ChoiceButton>
        </>
      )}
      <div class="label-asides">
        <ChoiceButton name="skip" keys="S" shortcuts="s Space" isGiven={given === "skip"} onPress={() => onAsk("skip")}>
          Skip
        </ChoiceButton>
        <ChoiceButton name="flag" keys="F" shortcuts="f" isGiven={given === "flag"} onPress={() => onAsk("flag")}>
          Flag
        </ChoiceButton>
        <button type="button" class="label-choice is-undo" aria-keyshortcuts="u Control+Z" disabled={!canUndo} onClick={onUndo}>
          Undo <KeyCap keys="U" />
        </button>
      </div>
    </div>
  );
}

interface ChoiceButtonProps {
  readonly name: string;
  readonly keys: string | null;
  readonly shortcuts?: string;
  readonly isGiven: boolean;
  readonly onPress: () => void;
  readonly children: ComponentChildren;
}

function ChoiceButton({ name, keys, shortcuts, isGiven, onPress, children }: ChoiceButtonProps) {
  return (
    <button
      type="button"
      class={`label-choice is-${name}${isGiven ? " is-given" : ""}`}
      aria-keyshortcuts={shortcuts ?? keys ?? undefined}
      aria-description={isGiven ? "what you said before" : undefined}
      onClick={onPress}
    >
      {children} {keys !== null && <KeyCap keys={keys} />}
    </button>
  );
}
