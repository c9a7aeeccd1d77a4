import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Fate, type FakeStudio, startFakeStudio } from "../../../test/fixtures/fake-label-studio.ts";
import { parseTaskRow } from "../task.ts";
import { pushTasks, type PushOptions } from "./push-tasks.ts";
import { createStudioClient, type StudioClient } from "./studio-client.ts";
import { renderStudioConfig } from "./studio-config.ts";
import { makeStudioTasks } from "./studio-tasks.ts";

let fake: FakeStudio;
let client: StudioClient;
beforeEach(async () => {
  fake = await startFakeStudio();
  client = createStudioClient({ url: fake.url, token: "x", pause: 1, retries: 4 });
});
afterEach(() => fake.close());

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: `p${i}`, prompt: `Q${i}`, answer1: `a${i}`, answer2: `b${i}` }));
const tasks = (count: number) => makeStudioTasks(rows(count).map(parseTaskRow), { mode: "pair" });
const push = (options: Partial<PushOptions> = {}) =>
  pushTasks(client, { project: "answers", mode: "pair", tasks: tasks(50), batchSize: 10, settle: 60, ...options });
const pushed = (): string[] => fake.tasks.map(({ data }) => String(data["pair_id"])).sort();

describe("pushTasks", () => {
  it("makes the project and uploads in batches; again it adds only what is new", async () => {
    expect(await push()).toMatchObject({ isNewProject: true, added: 50, present: 0, removed: 0, project: { id: 1, title: "answers" } });
    expect(fake.requests.filter(({ path }) => path.endsWith("/import"))).toHaveLength(5);
    expect(fake.projects[0]).toMatchObject({ label_config: renderStudioConfig("pair"), maximum_annotations: 1 });
    expect(await push()).toMatchObject({ isNewProject: false, added: 0, present: 50 });
    expect(await push({ tasks: tasks(55) })).toMatchObject({ added: 5, present: 50 });
    expect(new Set(pushed()).size).toBe(55);
    expect(fake.tasks).toHaveLength(55);
  });

  it.each([
    ["requests", "before"],
    ["answers", "after"],
    ["answers of work that is done later", "late"],
    ["gateways", 502],
  ] as [string, Fate][])("loses and doubles nothing where %s get lost", async (_, fate) => {
    let posts = 0;
    fake.fate = (method, path) => (method === "POST" && path.endsWith("/import") && ++posts % 2 === 0 ? fate : "pass");
    const outcome = await push();
    expect(outcome.added).toBe(50);
    expect(pushed()).toEqual(
      tasks(50)
        .map(({ data }) => data.pair_id)
        .sort(),
    );
  });

  it("makes one project where the answer got lost", async () => {
    let posts = 0;
    fake.fate = (method, path) => (method === "POST" && path === "/api/projects/" && ++posts === 1 ? "after" : "pass");
    await push();
    expect(fake.projects).toHaveLength(1);
    expect(fake.tasks).toHaveLength(50);
  });

  it("takes out copies of its own only, and never one that somebody has labelled", async () => {
    const project = fake.addProject("answers", renderStudioConfig("pair"));
    const [first] = tasks(1);
    // Copies from before this push are somebody else's business.
    fake.addTask(project, { ...first.data }, { ...first.meta });
    fake.addTask(project, { ...first.data }, { ...first.meta });
    let posts = 0;
    fake.fate = (method, path) => {
      if (method !== "POST" || !path.endsWith("/import") || ++posts !== 1) return "pass";
      return "late";
    };
    // The copy arrives while it looks, and is labelled at once.
    const outcome = await push({ settle: 0, tasks: tasks(11) });
    expect(outcome.added).toBe(10);
    expect(fake.tasks.filter(({ data }) => data["pair_id"] === "p0")).toHaveLength(2);
  });

  it("configures a project that was made by hand, and leaves any other configuration alone", async () => {
    const bare = fake.addProject("answers", "<View></View>");
    await push({ tasks: tasks(1) });
    expect(fake.projects[bare - 1]).toMatchObject({ label_config: renderStudioConfig("pair") });
    fake.addProject("stars", renderStudioConfig("rating"));
    await expect(push({ project: "stars" })).rejects.toThrow('the project "stars" is configured for rating, the tasks are for pair');
    fake.addProject(
      "other keys",
      '<View><Pairwise name="pw" toName="text1,text2"/><Text name="text1" value="$pairText1"/><Text name="text2" value="$pairText2"/></View>',
    );
    await expect(push({ project: "other keys" })).rejects.toThrow("shows $pairText1, $pairText2, which the tasks do not have");
    fake.addProject("choices", '<View><Text name="t" value="$prompt"/><Choices name="c" toName="t"><Choice value="x"/></Choices></View>');
    await expect(push({ project: "choices" })).rejects.toThrow("configured for something other than comparing answers");
    const own =
      '<View><Pairwise name="pw" toName="answer1,answer2"/><Text name="answer1" value="$answer1"/><Text name="answer2" value="$answer2"/></View>';
    fake.addProject("own", own);
    expect(await push({ project: "own", tasks: tasks(2) })).toMatchObject({ added: 2, isNewProject: false });
    expect(fake.projects.at(-1)).toMatchObject({ label_config: own });
  });

  it("finds a project by its title or number, also on a later page, and says where there are several", async () => {
    for (let i = 0; i < 120; i++) fake.addProject(`project ${i}`, renderStudioConfig("pair"));
    expect(await push({ project: "project 118", tasks: tasks(1) })).toMatchObject({ project: { id: 119 }, isNewProject: false });
    expect(await push({ project: "7", tasks: tasks(1) })).toMatchObject({ project: { title: "project 6" } });
    fake.addProject("project 3", renderStudioConfig("pair"));
    await expect(push({ project: "project 3" })).rejects.toThrow('2 projects are called "project 3": 4, 121');
    await expect(push({ project: "ab" })).rejects.toThrow("titles of 3 to 50 characters, found 2");
  });
});

describe("makeStudioTasks", () => {
  it("shows nothing of whose answer is whose, and keeps the shuffle beside", () => {
    const task = parseTaskRow({ id: 7, prompt: "Q", answer1: "a", answer2: "b", model1: "A", model2: "B" });
    const seen = new Set<boolean>();
    for (let seed = 0; seed < 20; seed++) {
      const [made] = makeStudioTasks([task], { mode: "pair", seed });
      const swap = made.meta.swap === true;
      seen.add(swap);
      expect(made).toEqual({
        data: { prompt: "Q", answer1: swap ? "b" : "a", answer2: swap ? "a" : "b", pair_id: "7" },
        meta: { pair_id: "7", swap, order: swap ? [1, 0] : [0, 1], models: ["A", "B"] },
      });
    }
    expect(seen.size).toBe(2);
    // Whatever is beside it.
    const other = parseTaskRow({ prompt: "x", answer1: "y", answer2: "z" });
    expect(makeStudioTasks([other, task], { mode: "pair" })[1]).toEqual(makeStudioTasks([task], { mode: "pair" })[0]);
  });

  it("makes lists of candidates, texts of conversations, and marks completions", () => {
    const messages = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Go on" },
    ];
    const task = parseTaskRow({ prompt: messages, candidates: [" a", " b", " c"] });
    const [{ data, meta }] = makeStudioTasks([task], { mode: "rating", ratingMax: 7 });
    expect(data.prompt).toBe("User: Hi\n\nAssistant: Hello\n\nUser: Go on");
    expect(data.items?.map(({ id, title }) => [id, title])).toEqual([
      ["1", "Answer 1"],
      ["2", "Answer 2"],
      ["3", "Answer 3"],
    ]);
    expect(data.items?.map(({ body }) => body)).toEqual(meta.order.map((candidate) => [" a", " b", " c"][candidate]));
    expect(meta).toMatchObject({ prompt: messages, continues: true, rating_max: 7 });
  });
});
