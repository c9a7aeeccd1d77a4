import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme } from "./theme.ts";
import "./styles.css";

// A token that is still in the address (after a link from another site) has done its work: the cookie is there.
if (location.search !== "") history.replaceState(null, "", `${location.pathname}${location.hash}`);
applyTheme();
render(<App />, document.getElementById("app")!);
