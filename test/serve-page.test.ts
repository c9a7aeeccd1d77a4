/** docs/serve.md as a reader follows it. What OpenAI's Python package makes of it: test/peers/serve.test.ts. */
import { describePage } from "./run-page.ts";

describePage("docs/serve.md", {
  shorten: { "npx spar serve": "--port 0" },
  endless: { "npx spar serve": "/v1" },
});
