/** `#/runs`: the list; `#/runs/ID[,ID…]/TAB`: a run, or several over each other. */
import { RunList } from "./run-list.tsx";
import { RunView } from "./run-view.tsx";
import "./runs.css";

export default function RunsRoom({ route }: { route: string }) {
  const [ids = "", tab = ""] = route.split("/");
  const chosen = ids
    .split(",")
    .filter((id) => id !== "")
    .map((id) => decodeURIComponent(id));
  return chosen.length === 0 ? <RunList /> : <RunView key={chosen.join("\n")} ids={chosen} tab={tab} />;
}
