export const runsPath = (ids: readonly string[], tab = ""): string =>
  `runs/${ids.map((id) => encodeURIComponent(id)).join(",")}${tab === "" ? "" : `/${tab}`}`;
