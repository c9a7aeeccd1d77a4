import { SparError } from "../../internal/errors.ts";
import type { Rule } from "./rule.ts";

export const regexRule: Rule = {
  name: "regex",
  description: "`match` where the pattern is found in the completion, `miss` where not.",
  options: [
    { name: "pattern", description: "a JavaScript regular expression", kind: "text" },
    { name: "flags", description: "its flags, e.g. i or su", kind: "text", default: "u" },
    { name: "match", description: "score where it is found", kind: "number", default: 1 },
    { name: "miss", description: "score where it is not", kind: "number", default: 0 },
  ],
  create({ pattern, flags, match, miss }) {
    let expression: RegExp;
    try {
      // Neither g nor y: they would remember where the last row matched.
      expression = new RegExp(String(pattern), String(flags).replace(/[gy]/g, ""));
    } catch (cause) {
      throw new SparError("rewards/invalid-rule", `rule:regex: ${(cause as Error).message}`, { cause });
    }
    return (row) => Number(expression.test(row.completion) ? match : miss);
  },
};
