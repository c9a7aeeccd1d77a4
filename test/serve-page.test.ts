/** docs/serve.md as a reader follows it: describePage runs each command and asserts how it ends. OpenAI's Python package: test/peers/serve.test.ts. */
import { describePage } from "./run-page.ts";

describePage("docs/serve.md", {
  shorten: { "npx spar serve": "--port 0" },
  endless: { "npx spar serve": "/v1" },
});
