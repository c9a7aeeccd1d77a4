/** The one outbox of this tab: it goes on sending whichever room is open. */
import { effect } from "@preact/signals";
import { connection } from "../../connection.ts";
import { getStorage, isTabOpen } from "./identity.ts";
import { labelApi } from "./label-api.ts";
import { createOutbox, type Outbox } from "./outbox.ts";

let outbox: Outbox | null = null;

export function openPageOutbox(tab: string): Outbox {
  if (outbox !== null) return outbox;
  const made = createOutbox({
    storage: getStorage("localStorage"),
    tab,
    send: labelApi.submit,
    isTabOpen,
    setTimer: (run, milliseconds) => {
      const timer = setTimeout(run, milliseconds);
      return () => clearTimeout(timer);
    },
  });
  outbox = made;
  // The server is back, or the network is: at once, not at the next try.
  effect(() => {
    if (connection.value === "here") void made.flush();
  });
  addEventListener("online", () => void made.flush());
  addEventListener("beforeunload", (event) => {
    if (made.waiting.value.size > 0 && !made.isDurable.value) event.preventDefault();
  });
  return made;
}
