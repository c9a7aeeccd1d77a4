import { Icon } from "./components/icon.tsx";
import { ThemeSwitch } from "./components/theme-switch.tsx";
import type { RoomEntry } from "./rooms.ts";
import { useRoute } from "./route.ts";

/** A column at the left; where the page is narrow, a bar at the bottom. */
export function Navigation({
  rooms,
  folder,
  version,
}: {
  rooms: readonly RoomEntry[];
  folder?: string | undefined;
  version?: string | undefined;
}) {
  const { room } = useRoute();
  return (
    <nav class="nav" aria-label="Rooms">
      <div class="nav-brand">
        <Icon name="brand" size={22} />
        <span class="nav-name">spar</span>
        {version === undefined ? null : <span class="nav-version">{version}</span>}
      </div>
      <ul class="nav-list">
        {rooms.map(({ name, title, icon }) => (
          <li key={name}>
            <a class="nav-link" href={`#/${name}`} aria-current={name === room ? "page" : undefined}>
              <Icon name={icon} size={18} />
              <span>{title}</span>
            </a>
          </li>
        ))}
      </ul>
      <div class="nav-foot">
        {folder === undefined ? null : (
          <span class="nav-folder" title={folder}>
            <bdi>{folder}</bdi>
          </span>
        )}
        <ThemeSwitch />
      </div>
    </nav>
  );
}
