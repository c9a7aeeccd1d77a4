/** Every key, on one sheet. */
import { keySheet } from "./label-keys.ts";
import { Modal } from "./modal.tsx";

export function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal title="Keys" isWide startsOnText onClose={onClose} onKeyDown={(event) => event.key === "?" && onClose()}>
      <div class="sheet label-sheet">
        {keySheet.map(({ title, rows }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([keys, what]) => (
                <div key={keys}>
                  <dt>
                    {keys.split("  ").map((key) => (
                      <kbd key={key} class="label-key">
                        {key}
                      </kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="label-note">While you type, keys only type. Each label is one press: a key that is held down does nothing more.</p>
    </Modal>
  );
}
