/** Line icons on a grid of 24, as wide as their lines are 1.75. */

const paths = {
  brand: "M4.5 5l6 7-6 7M19.5 5l-6 7 6 7",
  label: "M4 5h6.5v14H4zM13.5 5H20v14h-6.5z",
  runs: "M4 19V5M4 19h16M7.5 14.5l3.5-4 3 2.5 5-6.5",
  samples: "M4 5h16v14H4zM4 10h16M4 14.5h16M12 5v14",
  chat: "M5 5.5h14v10h-7.5L7 19v-3.5H5z",
  sun: "M12 8.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6zM12 3v1.8M12 19.2V21M3 12h1.8M19.2 12H21M5.6 5.6l1.3 1.3M17.1 17.1l1.3 1.3M5.6 18.4l1.3-1.3M17.1 6.9l1.3-1.3",
  moon: "M19.5 14.2A8 8 0 0 1 9.8 4.5a8 8 0 1 0 9.7 9.7z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  edit: "M5 19l1-4L15.5 5.5l3 3L9 18zM13.5 7.5l3 3",
  undo: "M8 6 4.5 9.5 8 13M4.5 9.5h9a5 5 0 0 1 0 10H9",
  refresh: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  stop: "M6.5 6.5h11v11h-11z",
  save: "M5 5h11l3 3v11H5zM8 5v5h7V5M8 19v-5h8v5",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5 20 20",
  filter: "M4 6h16M7 12h10M10 18h4",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  info: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 11v5M12 8v.2",
  warning: "M12 4.5 21 19.5H3zM12 10v4.5M12 17v.2",
  flag: "M6 20V5M6 5h11l-2.5 4L17 13H6",
  keyboard: "M3.5 7h17v10h-17zM7 10.5h.2M10.5 10.5h.2M14 10.5h.2M17 10.5h.2M8 14h8",
  chevronRight: "M9.5 6l6 6-6 6",
  chevronLeft: "M14.5 6l-6 6 6 6",
  chevronDown: "M6 9.5l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  more: "M5.5 12h.2M12 12h.2M18.5 12h.2",
  send: "M12 19V5M6 11l6-6 6 6",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  external: "M10 5H5v14h14v-5M13 5h6v6M19 5l-8 8",
  people:
    "M9 5.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3.5 19c.4-3 2.6-4.5 5.5-4.5s5.1 1.5 5.5 4.5M16 6a2.8 2.8 0 0 1 0 5.4M17 14.8c2 .5 3.2 1.9 3.5 4.2",
  book: "M5 5.8A2 2 0 0 1 7 4h12v13H7a2 2 0 0 0-2 1.8zM5 18.8A2 2 0 0 0 7 20h12v-3",
  swap: "M7 8h12l-3.5-3.5M17 16H5l3.5 3.5",
} as const;

export type IconName = keyof typeof paths;

/** Decoration: what it stands for is said beside it, or by the button around it. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
