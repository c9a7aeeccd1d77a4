import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon.tsx";

export type ButtonProps = Omit<JSX.IntrinsicElements["button"], "icon" | "size"> & {
  /** `primary`: what a person most likely wants; one a view. Default `normal`. */
  kind?: "primary" | "normal" | "quiet" | "danger";
  size?: "small" | "normal";
  icon?: IconName;
  /** Works, and cannot be pressed again. */
  busy?: boolean;
  children?: ComponentChildren;
};

export function Button({ kind = "normal", size = "normal", icon, busy = false, children, class: extra, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      class={`button button-${kind} button-${size}${extra === undefined ? "" : ` ${String(extra)}`}`}
      aria-busy={busy || undefined}
      disabled={rest.disabled === true || busy}
    >
      {icon === undefined ? null : <Icon name={icon} size={size === "small" ? 14 : 16} />}
      {children}
    </button>
  );
}

export type IconButtonProps = Omit<ButtonProps, "children" | "icon"> & {
  icon: IconName;
  /** What it does: its name for those who do not see it, its tooltip for those who do. */
  label: string;
  /** The key that does the same, shown in the tooltip. */
  shortcut?: string;
  /** Where the tooltip goes. Default `top`. */
  tip?: "top" | "bottom" | "left" | "right";
};

export function IconButton({
  icon,
  label,
  shortcut,
  tip = "top",
  kind = "quiet",
  size = "normal",
  class: extra,
  ...rest
}: IconButtonProps) {
  return (
    <Button
      {...rest}
      kind={kind}
      size={size}
      icon={icon}
      class={`icon-button has-tip tip-${tip}${extra === undefined ? "" : ` ${String(extra)}`}`}
      aria-label={label}
      aria-keyshortcuts={shortcut}
      data-tip={shortcut === undefined ? label : `${label}  ${shortcut}`}
    />
  );
}
