/** `spar label-studio` and `spar reward` with the real Label Studio, over a network that loses requests and answers. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseRows, runSpar, startSpar, type Finished, type Running } from "../e2e/spar.ts";
import { createWorkplace, tinyModel, type Workplace } from "../invariants/tiny-run.ts";
import { startLossyProxy, type LossyProxy } from "./lossy-proxy.ts";
import { startLabelStudio, studioToken, type RealStudio } from "./start-label-studio.ts";

const python = process.env["SPAR_LABEL_STUDIO_PYTHON"];

type Row = { readonly [key: string]: unknown };
interface Listed {
  readonly tasks: readonly {
    id: number;
    data: { pair_id: string; answer1: string };
    meta: { swap: boolean };
    predictions: readonly Row[];
  }[];
}

const count = 200;
const words = ["alpha", "beta", "gamma", "delta"];
const taskRows = Array.from({ length: count }, (_, i) => ({
  id: `pair-${i}`,
  prompt: `Question ${i}: what about ${words[i % 4]}?`,
  answer1: `Certainly, "${words[i % 4]}" it is, ${i}.`,
  answer2: `No, ${i}\nand never ${words[i % 4]}.`,
  model1: "org/first",
  model2: "org/second",
}));

describe.skipIf(python === undefined)("peers", () => {
  let place: Workplace;
  let studio: RealStudio;
  let proxy: LossyProxy;
  let project: number;
  let tasks: Listed["tasks"];
  let annotated: Map<string, number>;

  const spar = (args: readonly string[], token = studioToken): Promise<Finished> =>
    runSpar(["label-studio", ...args, "--json"], { cwd: place.folder, env: { LABEL_STUDIO_API_KEY: token } });
  const list = async (id: number): Promise<Listed["tasks"]> =>
    (await studio.call<Listed>("GET", `/api/tasks?project=${id}&fields=all&page_size=1000`)).tasks;
  const annotate = async (task: number, said: Row): Promise<number> =>
    (await studio.call<{ id: number }>("POST", `/api/tasks/${task}/annotations/`, said)).id;
  const pairwise = (selected: string): Row => ({ from_name: "comparison", to_name: "comparison", type: "pairwise", value: { selected } });
  const verdict = (choice: string): Row => ({ from_name: "verdict", to_name: "prompt", type: "choices", value: { choices: [choice] } });
  const readPairs = (name: string): Row[] => parseRows(readFileSync(place.path(name), "utf8"));
  const sortPairs = (rows: readonly Row[]): string[] =>
    rows.map(({ prompt, chosen, rejected }) => JSON.stringify([prompt, chosen, rejected])).sort();

  beforeAll(async () => {
    place = createWorkplace();
    studio = await startLabelStudio(python ?? "", place.path("studio"));
    place.writeRows("tasks.jsonl", taskRows);
    // Every third request is in trouble, in turn before, after and instead of what it asks for.
    const fates = ["before", "after", "busy"] as const;
    proxy = await startLossyProxy(studio.url, (n) => (n % 3 === 2 ? fates[((n - 2) / 3) % 3] : "pass"));
  });
  afterAll(() => {
    proxy.close();
    studio.stop();
    place.remove();
  });

  test("200 tasks arrive once each, over a network that loses every third request", async () => {
    const args = [
      "push",
      "--url",
      proxy.url,
      "--project",
      "with losses",
      "--data",
      "tasks.jsonl",
      "--batch-size",
      "20",
      "--annotators",
      "2",
    ];
    const first = await spar(args);
    expect(first.code, first.stderr).toBe(0);
    expect(proxy.lost).toBeGreaterThan(5);
    const outcome = parseRows(first.stdout)[0];
    expect(outcome).toMatchObject({ tasks: count, added: count, present: 0, title: "with losses" });
    project = Number(outcome?.["project"]);
    tasks = await list(project);
    expect(tasks).toHaveLength(count);
    expect(new Set(tasks.map(({ data }) => data.pair_id)).size).toBe(count);
    const again = await spar(args);
    expect(parseRows(again.stdout)[0]).toMatchObject({ added: 0, present: count, removed: 0, new_project: false });
    expect(await list(project)).toHaveLength(count);
    const projects = await studio.call<{ results: { title: string }[] }>("GET", "/api/projects/?page_size=100");
    expect(projects.results.filter(({ title }) => title === "with losses")).toHaveLength(1);
    // Shuffled, and neither models nor the shuffle in what people see.
    const swapped = tasks.filter(({ meta }) => meta.swap);
    expect(swapped.length).toBeGreaterThan(60);
    expect(swapped.length).toBeLessThan(140);
    for (const { data, meta } of tasks) {
      const row = taskRows.find(({ id }) => id === data.pair_id);
      expect(data).toEqual({
        prompt: row?.prompt,
        pair_id: row?.id,
        answer1: meta.swap ? row?.answer2 : row?.answer1,
        answer2: meta.swap ? row?.answer1 : row?.answer2,
      });
    }
  });

  test("labels of two people come back as they were given, whatever gets lost", async () => {
    const second = await studio.call<{ id: number }>("POST", "/api/users/", {
      email: "b@localhost.com",
      username: "b",
      password: "another-password",
    });
    annotated = new Map();
    const expected: string[] = [];
    for (const { id, data, meta } of tasks) {
      const i = Number(data.pair_id.slice(5));
      const row = taskRows[i];
      const prefersFirst = i % 3 !== 0;
      const side = prefersFirst === meta.swap ? "right" : "left";
      const pair = prefersFirst ? [row.prompt, row.answer1, row.answer2] : [row.prompt, row.answer2, row.answer1];
      if (i >= 100) continue; // nobody got there
      if (i % 10 === 0) annotated.set(data.pair_id, await annotate(id, { result: [verdict("tie")], lead_time: 2 }));
      else if (i % 10 === 1) await annotate(id, { result: [], was_cancelled: true });
      else if (i % 10 === 2) await annotate(id, { result: [verdict("both_bad")] });
      else if (i % 10 === 3) await annotate(id, { result: [] });
      else if (i % 10 === 4) {
        await studio.call("POST", `/api/tasks/${id}/drafts`, { result: [pairwise(side)], lead_time: 1 });
      } else {
        const reason = { from_name: "comment", to_name: "prompt", type: "textarea", value: { text: ["because"] } };
        annotated.set(data.pair_id, await annotate(id, { result: [pairwise(side), reason], lead_time: 3.25 }));
        // The second person agrees, disagrees, or was not asked.
        if (i % 10 === 5) await annotate(id, { result: [pairwise(side)], completed_by: second.id });
        if (i % 10 === 6) await annotate(id, { result: [pairwise(side === "left" ? "right" : "left")], completed_by: second.id });
        if (i % 10 !== 6) expected.push(JSON.stringify(pair));
      }
    }
    const pull = ["pull", "--url", proxy.url, "--project", "with losses", "--out", "out/pairs.jsonl"];
    const { code, stdout, stderr } = await spar(pull);
    expect(code, stderr).toBe(0);
    expect(sortPairs(readPairs("out/pairs.jsonl"))).toEqual(expected.sort());
    expect(parseRows(stdout)[0]).toMatchObject({
      tasks: count,
      ties: 10,
      both_bad: 10,
      skips: 10,
      empty: 10,
      pairs: 40,
      annotators: 2,
      unreadable: 0,
    });
    const labels = readPairs("out/labels.jsonl");
    // Drafts are no labels; 20 labels of the second person.
    expect(labels).toHaveLength(10 * 4 + 10 * 5 + 20);
    const label = labels.find(({ task }) => task === "pair-5");
    const shown = tasks.find(({ data }) => data.pair_id === "pair-5");
    expect(label).toMatchObject({
      choice: "a",
      order: shown?.meta.swap === true ? [1, 0] : [0, 1],
      candidates: [
        { text: taskRows[5].answer1, model: "org/first" },
        { text: taskRows[5].answer2, model: "org/second" },
      ],
      comment: "because",
      milliseconds: 3250,
    });
  });

  test("what is changed or deleted there is so here, and only that is read", async () => {
    const pull = ["pull", "--url", proxy.url, "--project", String(project), "--out", "out/pairs.jsonl"];
    expect(parseRows((await spar(pull)).stdout)[0]).toMatchObject({ read: 0, gone: 0, pairs: 40 });
    const side = tasks.find(({ data }) => data.pair_id === "pair-7")?.meta.swap === true ? "left" : "right";
    await studio.call("PATCH", `/api/annotations/${annotated.get("pair-7")}/`, { result: [pairwise(side)] });
    await studio.call("DELETE", `/api/annotations/${annotated.get("pair-8")}/`);
    const last = tasks.find(({ data }) => data.pair_id === "pair-199")?.id ?? 0;
    await studio.call("DELETE", `/api/tasks/${last}/`);
    expect(parseRows((await spar(pull)).stdout)[0]).toMatchObject({ read: 2, gone: 1, pairs: 39, tasks: count - 1 });
    const pairs = readPairs("out/pairs.jsonl");
    expect(pairs.find(({ task }) => task === "pair-7")).toMatchObject({ chosen: taskRows[7].answer2, rejected: taskRows[7].answer1 });
    expect(pairs.some(({ task }) => task === "pair-8")).toBe(false);
  });

  test("exported files of every kind make the same pairs", async () => {
    const pulled = sortPairs(readPairs("out/pairs.jsonl"));
    for (const [type, name] of [
      ["JSON", "export.json"],
      ["JSON_MIN", "export-min.json"],
      ["CSV", "export.csv"],
      ["TSV", "export.tsv"],
    ] as const) {
      writeFileSync(place.path(name), await studio.text(`/api/projects/${project}/export?exportType=${type}`));
      const { code, stderr } = await spar(["read", name, "--out", `${type}/pairs.jsonl`]);
      expect(code, stderr).toBe(0);
      expect(sortPairs(readPairs(`${type}/pairs.jsonl`)), type).toEqual(pulled);
    }
  });

  test("a personal access token does as well; a wrong one, a closed door and an unknown project are named", async () => {
    const { token } = await studio.call<{ token: string }>("POST", "/api/token/", {});
    const status = ["status", "--url", studio.url, "--project", "with losses"];
    const own = await spar(status, token);
    expect(parseRows(own.stdout)[0], own.stderr).toMatchObject({ version: "1.23.2", mode: "pair", tasks: count - 1 });
    expect((await spar(status, "f".repeat(40))).stderr).toContain("does not accept the token: Invalid token");
    expect((await spar(["status", "--url", studio.url, "--project", "nothing"])).stderr).toContain('has no project "nothing"');
    await studio.call("POST", "/api/jwt/settings", { api_tokens_enabled: true, legacy_api_tokens_enabled: false });
    expect((await spar(status)).stderr).toContain("does not take legacy tokens");
    const access = await fetch(`${studio.url}/api/token/refresh/`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh: token }),
    });
    const { access: bearer } = (await access.json()) as { access: string };
    await fetch(`${studio.url}/api/jwt/settings`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ api_tokens_enabled: true, legacy_api_tokens_enabled: true }),
    });
    expect((await spar(status)).code).toBe(0);
  });

  test("ranking and rating projects are made, and their labels read", async () => {
    const rows = Array.from({ length: 3 }, (_, i) => ({
      id: `k${i}`,
      prompt: `List ${i}`,
      candidates: ["one", "two", "three"].map((word) => `${word} ${i}`),
    }));
    place.writeRows("lists.jsonl", rows);
    for (const mode of ["ranking", "rating"]) {
      const args = ["--url", studio.url, "--project", `k ${mode}`];
      const pushed = await spar(["push", ...args, "--data", "lists.jsonl", "--mode", mode]);
      expect(pushed.code, pushed.stderr).toBe(0);
      const id = Number(parseRows(pushed.stdout)[0]?.["project"]);
      const { tasks: listed } = await studio.call<{ tasks: { id: number; data: { items: { id: string; body: string }[] } }[] }>(
        "GET",
        `/api/tasks?project=${id}&fields=all`,
      );
      expect(listed).toHaveLength(3);
      for (const task of listed) {
        // "three" is best, "one" worst.
        const best = ["three", "two", "one"].map((word) => task.data.items.findIndex(({ body }) => body.startsWith(word)));
        const result =
          mode === "ranking"
            ? [
                {
                  from_name: "ranking",
                  to_name: "answers",
                  type: "ranker",
                  value: { ranker: { ranking: best.map((item) => task.data.items[item].id) } },
                },
              ]
            : best.map((item, rank) => ({
                from_name: `rating_${item}`,
                to_name: `answer_${item}`,
                type: "rating",
                value: { rating: 5 - 2 * rank },
              }));
        await annotate(task.id, { result });
      }
      const pulled = await spar(["pull", ...args, "--out", `${mode}/pairs.jsonl`]);
      expect(pulled.code, pulled.stderr).toBe(0);
      const pairs = readPairs(`${mode}/pairs.jsonl`);
      expect(pairs).toHaveLength(9);
      expect(
        pairs
          .filter(({ task }) => task === "k1")
          .map(({ chosen, rejected }) => `${String(chosen)} > ${String(rejected)}`)
          .sort(),
      ).toEqual(["three 1 > one 1", "three 1 > two 1", "two 1 > one 1"]);
    }
  });

  const recipe = (dataset: object, folder: string, steps: number): string[] => {
    const values = {
      model_name_or_path: tinyModel,
      datasets: [dataset],
      output_dir: place.path(folder),
      max_steps: steps,
      save_steps: 2,
      logging_steps: 1,
      per_device_train_batch_size: 4,
      gradient_checkpointing: false,
      report_to: "none",
    };
    writeFileSync(place.path(`${folder}.yaml`), JSON.stringify(values));
    return ["reward", "--config", `${folder}.yaml`];
  };
  const train = (args: readonly string[]): Promise<Finished> =>
    runSpar(args, { cwd: place.folder, env: { LABEL_STUDIO_API_KEY: studioToken } });
  const readLosses = (folder: string): unknown[] =>
    parseRows(readFileSync(place.path(folder, "metrics.jsonl"), "utf8"))
      .filter((row) => "loss" in row)
      .map(({ loss }) => loss);

  test("spar reward trains on the live project as on its export, and goes on with the rows it began with", async () => {
    const live = { path: "label-studio", url: studio.url, project: "with losses" };
    const whole = await train(recipe(live, "whole", 4));
    expect(whole.code, whole.stderr).toBe(0);
    const file = await train(recipe({ path: "json", data_files: "export.json" }, "file", 4));
    expect(file.code, file.stderr).toBe(0);
    expect(readLosses("whole")).toHaveLength(4);
    expect(readLosses("whole")).toEqual(readLosses("file"));
    expect((await train(recipe(live, "halves", 2))).code).toBe(0);
    // Somebody goes on labelling; the run does not see it.
    const rows = readFileSync(place.path("halves", "label-studio", "0.jsonl"));
    await studio.call("DELETE", `/api/annotations/${annotated.get("pair-9")}/`);
    const rest = await train([...recipe(live, "halves", 4), "--resume"]);
    expect(rest.code, rest.stderr).toBe(0);
    expect(readFileSync(place.path("halves", "label-studio", "0.jsonl"))).toEqual(rows);
    expect(readFileSync(place.path("halves", "config.yaml"), "utf8")).toContain("label-studio");
  });

  test("the backend's choices arrive in Label Studio as predictions", async () => {
    const running: Running = startSpar(["label-studio", "backend", "--model", place.path("whole"), "--port", "0", "--json"], {
      env: { SPAR_BACKEND_AUTH: "studio:open sesame" },
    });
    try {
      let text = "";
      running.child.stdout?.on("data", (chunk: string) => {
        text += chunk;
      });
      await running.waitFor('"url"');
      const { url } = JSON.parse(text) as { url: string };
      const connect = { project, url, title: "spar", auth_method: "BASIC_AUTH", basic_auth_user: "studio", basic_auth_pass: "open sesame" };
      await expect(studio.call("POST", "/api/ml/", { ...connect, basic_auth_pass: "wrong" })).rejects.toThrow("authentication parameters");
      const { model_version: version } = await studio.call<{ model_version: string }>("POST", "/api/ml/", connect).then(async () => {
        const [backend] = await studio.call<{ model_version: string }[]>("GET", `/api/ml?project=${project}`);
        return backend;
      });
      const some = (await list(project)).slice(0, 20).map(({ id }) => id);
      await studio.call("POST", `/api/dm/actions?id=retrieve_tasks_predictions&project=${project}`, {
        selectedItems: { all: false, included: some },
      });
      const predicted = (await list(project)).filter(({ predictions }) => predictions.length > 0);
      expect(predicted).toHaveLength(20);
      for (const { predictions } of predicted) {
        expect(predictions).toHaveLength(1);
        const [{ score, result, model_version }] = predictions as readonly { score: number; result: Row[]; model_version: string }[];
        expect(score).toBeGreaterThanOrEqual(0.5);
        expect(score).toBeLessThanOrEqual(1);
        expect(result).toHaveLength(1);
        expect(result[0]).toMatchObject({ type: "pairwise", from_name: "comparison", to_name: "comparison" });
        expect(["left", "right"]).toContain((result[0] as { value: { selected: string } }).value.selected);
        expect(model_version).toBe(version);
        expect(version).toMatch(/whole@[0-9a-f]{8}$/);
      }
      // What people are shown next is chosen for them while they wait.
      const next = await studio.call<{ predictions: Row[] }>("GET", `/api/projects/${project}/next`);
      expect(next.predictions).toHaveLength(1);
    } finally {
      running.child.kill("SIGINT");
    }
    expect((await running.finished).code).toBe(0);
  });
});
