import type { Rule } from "./rule.ts";

export const matchRule: Rule = {
  name: "match",
  description:
    "1 where the completion is the text in a column of the row (spaces at both ends aside), else 0. Does not apply to rows that lack the column.",
  options: [
    { name: "column", description: "the column that holds the answer", kind: "text", default: "answer" },
    { name: "where", description: "the whole completion, its end, or anywhere in it", kind: ["all", "end", "anywhere"], default: "all" },
    { name: "case", description: "whether capitals matter", kind: ["keep", "ignore"], default: "keep" },
  ],
  create: ({ column, where, case: letters }) => {
    const normalize = (text: string): string => (letters === "ignore" ? text.trim().toLowerCase() : text.trim());
    return (row) => {
      const answer = row[String(column)];
      if (typeof answer !== "string" && typeof answer !== "number") return null;
      const [wanted, text] = [normalize(String(answer)), normalize(row.completion)];
      const found = where === "all" ? text === wanted : where === "end" ? text.endsWith(wanted) : text.includes(wanted);
      return found ? 1 : 0;
    };
  },
};
