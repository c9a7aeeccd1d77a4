/** docs/walkthrough-self-play.md, command by command, and whether each stage did what the page says it does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { describePage, readCurve } from "../run-page.ts";

type Row = { [key: string]: unknown };

function readRows(path: string): Row[] {
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

const readReport = (path: string): Row => JSON.parse(readFileSync(path, "utf8")) as Row;

/** The share of verdicts that the table of `spar judge --agree` shows. */
const accuracyIn = (output: string | undefined): number => Number(/^accuracy +([\d.]+) %/m.exec(output ?? "")?.[1]) / 100;

describePage("docs/walkthrough-self-play.md", {
  // The whole of it takes two minutes on two free cores.
  shorten: {
    "npx spar self-rewarding":
      "--eft_first_epochs 0.6 --sft_num_train_epochs 0.1 --prompts_per_iteration 64 --num_candidates 4 --num_eval_prompts 32",
    "npx spar spin": "--prompts_per_iteration 64 --num_eval_prompts 32",
    "npx spar eval --model": "--limit 48",
  },
  afterwards: {
    "M1 learnt to grade: it agrees with people where the shipped model does not": (_folder, outputs) => {
      const [shipped, M1] = ["models/tiny-reviews", "runs/self-rewarding/M1/model"].map((model) =>
        accuracyIn([...outputs].find(([command]) => command.startsWith(`npx spar judge --judge model:${model} `))?.[1]),
      );
      expect(M1).toBeGreaterThan(0.65);
      expect(M1).toBeGreaterThan((shipped as number) + 0.05);
    },
    "each iteration left its files, and a pair is the best answer over the worst": (folder) => {
      for (const name of ["M2", "M3"]) {
        const read = (file: string): Row[] => readRows(join(folder, "runs/self-rewarding", name, file));
        expect(read("judgements.jsonl").map((row) => row["prompt"])).toEqual(read("prompts.jsonl").map((row) => row["prompt"]));
        const grades = new Map(read("judgements.jsonl").map((row) => [row["prompt"], row["answers"] as { text: string; score: number }[]]));
        const pairs = read("pairs.jsonl") as { prompt: string; chosen_score: number; rejected_score: number }[];
        expect(pairs.length).toBeGreaterThan(40);
        for (const { prompt, chosen_score, rejected_score } of pairs) {
          const scores = (grades.get(prompt) ?? []).flatMap(({ text, score }) => (text.trim() === "" ? [] : [score]));
          expect([chosen_score, rejected_score]).toEqual([Math.max(...scores), Math.min(...scores)]);
        }
      }
    },
    "the edited pairs were taken up, and nothing before them was done again": (folder) => {
      const events = readRows(join(folder, "runs/self-rewarding/events.jsonl"));
      const said = (code: string): string[] => events.filter((row) => row["code"] === code).map((row) => String(row["message"]));
      expect(said("stage/edited").at(-1)).toContain("pairs.jsonl");
      expect(said("stage/started").filter((stage) => stage === "M2/training")).toHaveLength(2);
      for (const stage of ["M1/training", "M2/candidates", "M2/judgements", "M3/training"])
        expect(said("stage/started").filter((message) => message === stage)).toHaveLength(1);
      expect(readFileSync(join(folder, "runs/self-rewarding/M2/pairs.jsonl"), "utf8")).not.toMatch(
        /"(chosen|rejected)":"[^"]* (good|bad)"/,
      );
    },
    "every model was watched by the outside judge": (folder) => {
      expect(readCurve(join(folder, "runs/self-rewarding"), "outside/mean_score").length).toBeGreaterThanOrEqual(3);
    },
    "SPIN tells people's answers from its opponent's, whose answers change": (folder) => {
      expect(readCurve(join(folder, "runs/spin"), "gain/gain").every((gain) => gain > 0)).toBe(true);
      const [first, second] = [0, 1].map((t) => readRows(join(folder, `runs/spin/iteration-${t}/pairs.jsonl`)));
      expect(first?.map((row) => row["rejected"])).not.toEqual(second?.map((row) => row["rejected"]));
    },
    "both were evaluated on the same openings, and compared": (folder) => {
      for (const name of ["self-rewarding", "spin"]) {
        const report = readReport(join(folder, `runs/eval-${name}/report.json`));
        expect(report).toMatchObject({ n: 48, voids: 0, against: "models/tiny-reviews", judge: "rule:sentiment" });
        expect((report["win"] as number) + (report["tie"] as number) + (report["lose"] as number)).toBe(48);
      }
      expect((readReport(join(folder, "runs/compare/comparison.json"))["differences"] as Row[]).length).toBeGreaterThan(0);
    },
  },
});
