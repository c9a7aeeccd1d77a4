/** docs/ui.md as a reader follows it. The page itself, in a browser: test/browser/. */
import { describePage } from "./run-page.ts";

describePage("docs/ui.md", {
  shorten: { "npx spar ui": "--no-open" },
  endless: { "npx spar ui": "Ctrl-C stops." },
});
