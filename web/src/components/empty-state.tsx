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
  inside = false,
}: {
  title: string;
  text?: ComponentChildren;
  icon?: IconName;
  hint?: string | undefined;
  /** To run first, in this order; each can be copied. */
  commands?: readonly string[];
  action?: ComponentChildren;
  /** Part of a page that has its own heading. */
  inside?: boolean;
}) {
  const Heading = inside ? "h2" : "h1";
  return (
    <section class="empty">
      {icon === undefined ? null : (
        <div class="empty-icon">
          <Icon name={icon} size={24} />
        </div>
      )}
      <Heading class="empty-title">{title}</Heading>
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
