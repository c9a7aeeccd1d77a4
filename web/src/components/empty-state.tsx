import type { ComponentChildren } from "preact";
import { Command } from "./command.tsx";
import { Icon, type IconName } from "./icon.tsx";

/** What is not there yet, and what to do so that it is. */
export function EmptyState({
  title,
  text,
  icon,
  hint,
  commands = [],
  action,
}: {
  title: string;
  text?: ComponentChildren;
  icon?: IconName;
  hint?: string | undefined;
  /** To run first, in this order; each can be copied. */
  commands?: readonly string[];
  action?: ComponentChildren;
}) {
  return (
    <section class="empty">
      {icon === undefined ? null : (
        <div class="empty-icon">
          <Icon name={icon} size={24} />
        </div>
      )}
      <h2>{title}</h2>
      {text === undefined ? null : <p>{text}</p>}
      {hint === undefined ? null : <p class="empty-hint">{hint}</p>}
      {commands.length === 0 ? null : (
        <div class="empty-commands">
          {commands.map((command) => (
            <Command key={command} text={command} />
          ))}
        </div>
      )}
      {action === undefined ? null : <div class="empty-action">{action}</div>}
    </section>
  );
}
