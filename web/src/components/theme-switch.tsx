import { chooseTheme, theme, type Theme } from "../theme.ts";
import { IconButton } from "./button.tsx";

const next: { readonly [now in Theme]: Theme } = { system: "light", light: "dark", dark: "system" };
const icons = { system: "system", light: "sun", dark: "moon" } as const;
const names = { system: "as the system", light: "light", dark: "dark" } as const;

/** One button for three states, because it is pressed once and then forgotten. */
export function ThemeSwitch() {
  const now = theme.value;
  return (
    <IconButton
      class="theme-switch"
      icon={icons[now]}
      label={`Theme: ${names[now]}`}
      tip="right"
      size="small"
      onClick={() => chooseTheme(next[now])}
    />
  );
}
