import { Dialog } from "./dialog.tsx";
import { Kbd } from "./kbd.tsx";
import { isSheetOpen, listShortcuts, type Shortcut } from "./shortcuts.ts";

/** All keys that work at the moment, behind `?`. */
export function ShortcutSheet() {
  const open = isSheetOpen.value;
  const groups = new Map<string, Shortcut[]>();
  for (const shortcut of open ? listShortcuts() : []) {
    if (shortcut.label === undefined) continue;
    const group = shortcut.group ?? "Here";
    groups.set(group, [...(groups.get(group) ?? []), shortcut]);
  }
  return (
    <Dialog title="Keys" open={open} onClose={() => (isSheetOpen.value = false)}>
      <div class="sheet">
        {[...groups].map(([group, shortcuts]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {shortcuts.map(({ keys, label }) => (
                <div key={label}>
                  <dt>
                    {(typeof keys === "string" ? [keys] : keys).map((key) => (
                      <Kbd keys={key} key={key} />
                    ))}
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Everywhere</h3>
          <dl>
            <div>
              <dt>
                <Kbd keys="?" />
              </dt>
              <dd>This sheet</dd>
            </div>
            <div>
              <dt>
                <Kbd keys="Escape" />
              </dt>
              <dd>Close what is open</dd>
            </div>
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
