import { loadVader } from "../vader.ts";
import type { Rule } from "./rule.ts";

export const sentimentRule: Rule = {
  name: "sentiment",
  description: "How positive an English completion is: VADER's compound score, −1 to 1.",
  options: [
    {
      name: "of",
      description: "what is rated: the completion, or prompt and completion together",
      kind: ["completion", "text"],
      default: "completion",
    },
  ],
  async create({ of }) {
    const rate = await loadVader();
    return (row) => rate(of === "text" && typeof row.prompt === "string" ? row.prompt + row.completion : row.completion);
  },
};
