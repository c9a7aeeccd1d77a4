/** Why a task is skipped or flagged: one key each. */
import { KeyCap } from "./key-cap.tsx";
import { Modal } from "./modal.tsx";

const skipReasons = ["I cannot judge this", "the answers say the same", "a language I do not read", "not my field", "too long to read"];
const flagReasons = ["harmful or abusive", "private data", "broken or cut off", "the prompt makes no sense", "something else"];

export interface ReasonDialogProps {
  readonly kind: "skip" | "flag";
  /** Null: no reason was given. */
  readonly onPick: (reason: string | null) => void;
  readonly onClose: () => void;
}

export function ReasonDialog({ kind, onPick, onClose }: ReasonDialogProps) {
  const reasons = kind === "skip" ? skipReasons : flagReasons;
  const again = kind === "skip" ? "s" : "f";
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const reason = /^[1-9]$/.test(event.key) ? reasons.at(Number(event.key) - 1) : undefined;
    // Space once more skips without a reason; on a button it presses the button.
    const isOnButton = event.target instanceof Element && event.target.closest("button") !== null;
    const isAgain = event.key.toLowerCase() === again || (kind === "skip" && event.key === " " && !isOnButton);
    if (reason === undefined && !isAgain) return;
    event.preventDefault();
    onPick(reason ?? null);
  };
  return (
    <Modal title={kind === "skip" ? "Why skip it?" : "What is wrong with it?"} startsOnText onClose={onClose} onKeyDown={onKeyDown}>
      <ul class="label-reasons">
        {reasons.map((reason, at) => (
          <li key={reason}>
            <button type="button" class="label-reason" onClick={() => onPick(reason)}>
              <KeyCap keys={String(at + 1)} /> {reason}
            </button>
          </li>
        ))}
        <li>
          <button type="button" class="label-reason" onClick={() => onPick(null)}>
            <KeyCap keys={again.toUpperCase()} /> {kind === "skip" ? "Skip without a reason" : "Flag without a reason"}
          </button>
        </li>
      </ul>
      <p class="label-note">
        {kind === "skip"
          ? "A skipped task goes to somebody else; it is not a tie."
          : "A flagged task makes no training pair; whoever owns the data sees it with its reason."}
      </p>
    </Modal>
  );
}
