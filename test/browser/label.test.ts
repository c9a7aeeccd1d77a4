/** The labeling room as a person uses it: what each key stores, going back, guidelines, disagreements, hostile texts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchBrowser, listViolations } from "./chromium.ts";
import { makePairs, readTask, startLabelServer, waitUntilSaved, type LabelServer, type StoredLabel } from "./label-room.ts";

let browser: Browser;
let server: LabelServer;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => server.close());
afterAll(() => browser.close());

/** As it was on the screen. */
function shownChoice({ choice, order }: StoredLabel): string | null {
  return choice === "a" || choice === "b" ? ((order[0] === 0) === (choice === "a") ? "left" : "right") : choice;
}

const textOf = (page: Page, at: number): Promise<string> => page.locator(".label-answer-body").nth(at).innerText();

test("each key stores a choice of its own, and typing stores none", async () => {
  server = await startLabelServer(makePairs(20));
  const page = await server.open(browser, "Ada");
  expect(await page.locator(".label-figures strong").innerText()).toBe("0 of 20");
  const keys = [
    "1",
    "ArrowLeft",
    "2",
    "ArrowRight",
    "3",
    "ArrowUp",
    "=",
    "0",
    "ArrowDown",
    "Shift+1",
    "Shift+2",
    "s 2",
    "Space Space",
    "f 1",
  ];
  for (const [at, pressed] of keys.entries()) {
    // A machine presses faster than tasks come; people do not.
    await page.locator(".label-prompt-body", { hasText: `Question ${String(at)}:` }).waitFor();
    for (const key of pressed.split(" ")) await page.keyboard.press(key);
  }
  await page.locator(".label-prompt-body", { hasText: `Question ${String(keys.length)}:` }).waitFor();
  await page.getByRole("button", { name: "clearly" }).click();
  await page.getByRole("button", { name: "more correct" }).click();
  await page.keyboard.press("c");
  await page.keyboard.type("1 2 3 suff");
  await page.keyboard.press("Escape");
  expect(await page.locator(".label-length").count()).toBe(0);
  await page.keyboard.press("1");
  await waitUntilSaved(page);
  expect(await page.locator(".label-toast-lengths").innerText()).toMatch(/A: \d+ words.*B: \d+ words/s);
  const rows = server.readLabels();
  expect(rows.map((row) => [shownChoice(row), row.strength])).toEqual([
    ["left", undefined],
    ["left", undefined],
    ["right", undefined],
    ["right", undefined],
    ["tie", undefined],
    ["tie", undefined],
    ["tie", undefined],
    ["both_bad", undefined],
    ["both_bad", undefined],
    ["left", 3],
    ["right", 3],
    ["skip", undefined],
    ["skip", undefined],
    ["flag", undefined],
    ["left", 2],
  ]);
  expect(rows.slice(-4).map(({ reasons }) => reasons)).toEqual([
    ["the answers say the same"],
    undefined,
    ["harmful or abusive"],
    ["more correct"],
  ]);
  expect(rows.at(-1)?.comment).toBe("1 2 3 suff");
  expect(rows.map(({ task }) => task)).toEqual(rows.map((_, at) => `task-${String(at)}`));
  // One press, one label: a key that is held down does nothing more.
  await page.keyboard.down("2");
  await page.keyboard.down("2");
  await page.keyboard.down("2");
  await page.keyboard.up("2");
  await waitUntilSaved(page);
  expect(server.readLabels()).toHaveLength(rows.length + 1);
});

test("undo, also after a reload; going back and changing; the history's list", async () => {
  server = await startLabelServer(makePairs(6));
  const page = await server.open(browser, "Ada");
  await page.keyboard.press("1");
  await page.keyboard.press("2");
  await waitUntilSaved(page);
  await page.reload();
  await page.locator(".label-stage").waitFor();
  expect(await readTask(page)).toBe("task-2");
  await page.keyboard.press("Control+z");
  expect(await readTask(page)).toBe("task-1");
  await page.locator(".label-toast").getByText("Taken back: B better").waitFor();
  await page.keyboard.press("3");
  // k: earlier, j: later; a choice there takes the place of the first one.
  expect(await readTask(page)).toBe("task-2");
  await page.keyboard.press("k");
  expect(await readTask(page)).toBe("task-1");
  await page.keyboard.press("k");
  expect(await readTask(page)).toBe("task-0");
  expect(await page.locator(".label-looking").innerText()).toContain("You said A better");
  await page.keyboard.press("j");
  expect(await readTask(page)).toBe("task-1");
  await page.keyboard.press("k");
  await page.keyboard.press("0");
  expect(await readTask(page)).toBe("task-2");
  await page.getByRole("link", { name: "Your labels" }).click();
  expect(await page.locator(".label-list-main strong").allInnerTexts()).toEqual(["Tie", "Both bad"]);
  await page.getByRole("button", { name: /Both bad/ }).click();
  expect(await readTask(page)).toBe("task-0");
  await page.keyboard.press("Escape");
  expect(await readTask(page)).toBe("task-2");
  await waitUntilSaved(page);
  const rows = server.readLabels();
  expect(rows.map((row) => [row.task, shownChoice(row)])).toEqual([
    ["task-0", "left"],
    ["task-1", "right"],
    ["task-1", null],
    ["task-1", "tie"],
    ["task-0", "both_bad"],
  ]);
  expect(rows[2].undoes).toBe(rows[1].id);
  expect(rows[4].revises).toBe(rows[0].id);
});

test("an edited answer becomes the chosen one", async () => {
  server = await startLabelServer(makePairs(2));
  const page = await server.open(browser, "Ada");
  const before = await textOf(page, 1);
  await page.keyboard.press("e");
  await page.getByRole("button", { name: "Answer B", exact: true }).click();
  const editor = page.getByLabel("Better text for answer B");
  expect((await editor.inputValue()).trim()).toBe(before.trim());
  await editor.fill("Shorter light is scattered more.");
  await page.keyboard.press("Control+Enter");
  await waitUntilSaved(page);
  const [row] = server.readLabels();
  expect(shownChoice(row)).toBe("right");
  expect(row.edit).toEqual({ candidate: row.order[1], text: "Shorter light is scattered more." });
  await server.ui.close();
  const pairs = readFileSync(join(server.folder, "pairs.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { chosen: string; rejected: string });
  expect(pairs.map(({ chosen, rejected }) => [chosen, rejected.trim()])).toContainEqual([
    "Shorter light is scattered more.",
    before.trim(),
  ]);
});

test("of two edited answers both texts stay in the dialog, and it says that only the one shown is stored", async () => {
  server = await startLabelServer(makePairs(2));
  const page = await server.open(browser, "Ada");
  const editor = page.locator(".label-editor");
  const note = page.locator(".label-edit-others");
  const turnTo = (name: string): Promise<void> => page.getByRole("button", { name: `Answer ${name}`, exact: true }).click();
  await page.keyboard.press("e");
  await editor.fill("A, but better.");
  expect(await note.innerText()).toBe("");
  await turnTo("B");
  await note.getByText("Only the answer shown, B, is stored as the improved one; your text of A is not.").waitFor();
  await editor.fill("B, but better.");
  expect(await listViolations(page)).toEqual([]);
  await turnTo("A");
  expect(await editor.inputValue()).toBe("A, but better.");
  await note.getByText("Only the answer shown, A, is stored as the improved one; your text of B is not.").waitFor();
  await page.getByRole("button", { name: "Keep, and choose myself" }).click();
  // What was kept is told of when the other answer is edited later.
  await page.getByRole("button", { name: "Edit answer B" }).click();
  expect(await page.getByLabel("Better text for answer B").inputValue()).not.toBe("B, but better.");
  await note.getByText("your text of A is not").waitFor();
  await editor.fill("B at last.");
  await page.keyboard.press("Control+Enter");
  await waitUntilSaved(page);
  const [row] = server.readLabels();
  expect([shownChoice(row), row.edit]).toEqual(["right", { candidate: row.order[1], text: "B at last." }]);
});

test("texts of models do not run, as text, as differences and as Markdown", async () => {
  const hostile =
    '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script><svg onload="window.hacked=3"></svg>[link](javascript:window.hacked=4)<iframe srcdoc="<script>parent.hacked=5</script>"></iframe><style>*{display:none}</style>';
  const prompt = [{ role: '"><img src=x onerror=window.hacked=6>', content: hostile }];
  server = await startLabelServer([{ id: "bad", prompt, answer1: hostile, answer2: `${hostile} ` }, ...makePairs(1)]);
  const page = await server.open(browser, '<img src=x onerror="window.hacked=7">');
  const isHacked = (): Promise<unknown> => page.evaluate(() => (window as { hacked?: number }).hacked);
  expect(await textOf(page, 0)).toContain("<script>window.hacked=2</script>");
  await page.keyboard.press("d");
  await page.keyboard.press("m");
  await page.keyboard.press("d");
  await page.locator(".label-answer-body .markdown a").first().waitFor();
  await page.waitForTimeout(200);
  expect(await isHacked()).toBeUndefined();
  const inside = page.locator(".label-answers");
  for (const name of ["script", "iframe", "style", "[onerror]", "[onload]", 'a[href^="javascript"]'])
    expect(await inside.locator(name).count(), name).toBe(0);
  await page.keyboard.press("1");
  await waitUntilSaved(page);
  await page.getByRole("link", { name: "Your labels" }).click();
  await page.getByRole("link", { name: "Statistics" }).click();
  await page.getByText("Signs of bias").waitFor();
  expect(await isHacked()).toBeUndefined();
});

test("nothing on the page tells whose an answer is", async () => {
  const rows = [0, 1, 2, 3].map((i) => ({
    id: `t${String(i)}`,
    prompt: `Question ${String(i)}`,
    candidates: [
      { text: `one ${String(i)}`, model: "secret-teacher" },
      { text: `two ${String(i)}`, model: "secret-student" },
    ],
  }));
  server = await startLabelServer(rows);
  const bodies: string[] = [];
  const page = await server.open(browser, "Ada");
  page.on("response", (response) => {
    if (response.url().includes("/api/label")) void response.text().then((body) => bodies.push(body));
  });
  await page.reload();
  await page.locator(".label-stage").waitFor();
  await page.keyboard.press("1");
  await waitUntilSaved(page);
  const all = (await page.content()) + bodies.join("\n");
  expect(bodies.length).toBeGreaterThan(3);
  expect(all).not.toMatch(/secret|swapped|"order":\[/);
});

test("guidelines are versions: two people who change them at once both keep their text", async () => {
  server = await startLabelServer(makePairs(20));
  const ada = await server.open(browser, "Ada");
  const bob = await server.open(browser, "Bob");
  for (const [page, text] of [
    [ada, "# Facts first"],
    [bob, "# Style first"],
  ] as const) {
    await page.keyboard.press("g");
    await page.getByRole("button", { name: "Write guidelines" }).click();
    await page.getByLabel("Guidelines, as Markdown").fill(text);
  }
  await ada.getByRole("button", { name: "Save as version 1" }).click();
  await ada.getByRole("heading", { name: "Facts first" }).waitFor();
  await bob.getByRole("button", { name: "Save as version 1" }).click();
  await bob.getByText("Somebody has saved version 1 in the meantime").waitFor();
  expect(await bob.getByLabel("Guidelines, as Markdown").inputValue()).toBe("# Style first");
  await bob.getByLabel("Guidelines, as Markdown").fill("# Facts first\n\nThen style.");
  await bob.getByRole("button", { name: "Save as version 2" }).click();
  await bob.getByText("Then style.").waitFor();
  await bob.keyboard.press("Escape");
  await bob.keyboard.press("1");
  await waitUntilSaved(bob);
  const labels = readFileSync(join(server.folder, "labels.jsonl"), "utf8");
  expect((JSON.parse(labels) as { guidelines_version: number }).guidelines_version).toBe(2);
});

test("two people disagree; one looks at it, and changes their own label", async () => {
  server = await startLabelServer(makePairs(3), ["--overlap", "1"]);
  const [ada, bob] = [await server.open(browser, "Ada"), await server.open(browser, "Bob")];
  for (const page of [ada, bob]) {
    const first = (await textOf(page, 0)).startsWith("First");
    // Ada is for the file's first answer, Bob for its second.
    await page.keyboard.press((page === ada) === first ? "1" : "2");
    await page.keyboard.press("3");
    await page.keyboard.press("3");
    await waitUntilSaved(page);
  }
  await bob.getByRole("heading", { name: "All is labelled" }).waitFor();
  await bob.getByText("Nothing to train on so far").waitFor();
  expect(await bob.locator(".command").count()).toBe(0);
  expect(await listViolations(bob)).toEqual([]);
  await bob.getByRole("link", { name: "Statistics" }).first().click();
  const page = bob.locator(".label-page");
  await page.getByText("67 %").first().waitFor();
  expect(await page.innerText()).toContain("63–77 %");
  await bob.getByRole("link", { name: "Disagreements" }).click();
  await bob.getByRole("button", { name: /Question 0/ }).click();
  expect(await bob.locator(".label-said").innerText()).toMatch(/Ada\s+A better\s+Bob\s+B better/);
  await bob.getByRole("group", { name: "Your decision" }).getByRole("button", { name: "A better" }).click();
  await bob.getByText("Nobody disagrees so far").waitFor();
  await bob.getByRole("link", { name: "Label", exact: true }).last().click();
  expect(await bob.locator(".command code").first().innerText()).toContain("spar reward");
  const rows = server.readLabels().filter(({ task }) => task === "task-0");
  expect(rows.map(({ annotator, choice }) => [annotator, choice])).toEqual([
    ["Ada", "a"],
    ["Bob", "b"],
    ["Bob", "a"],
  ]);
  expect(rows[2].revises).toBe(rows[1].id);
});

test("long texts: a prompt that can be opened, answers that scroll together, a comparison that does not stop the page", async () => {
  const lines = (count: number, word: string): string =>
    Array.from({ length: count }, (_, i) => `${word} ${String(i)} of a long text`).join("\n");
  const talk = Array.from({ length: 9 }, (_, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content: `turn ${String(i)}` }));
  server = await startLabelServer([
    { id: "long", prompt: talk, answer1: lines(200, "line"), answer2: lines(400, "row") },
    { id: "huge", prompt: "short", answer1: lines(20_000, "line"), answer2: lines(20_000, "row") },
  ]);
  const page = await server.open(browser, "Ada");
  expect(await page.locator(".label-message").allInnerTexts()).toEqual(["User\nturn 8"]);
  await page.getByRole("button", { name: "Show all: 8 earlier messages" }).click();
  expect(await page.locator(".label-message").count()).toBe(9);
  const places = (): Promise<number[]> =>
    page
      .locator(".label-answer-body")
      .evaluateAll((panes) => panes.map((pane) => pane.scrollTop / (pane.scrollHeight - pane.clientHeight)));
  await page.locator(".label-answer-body").first().hover();
  await page.mouse.wheel(0, 900);
  await page.waitForFunction(() => [...document.querySelectorAll(".label-answer-body")].every((pane) => pane.scrollTop > 0));
  await page.waitForTimeout(200);
  const [left, right] = await places();
  expect(Math.abs(left - right)).toBeLessThan(0.02);
  expect(left).toBeGreaterThan(0.05);
  // An arrow in a text that has the focus scrolls it; elsewhere it would have been a label.
  await page.locator(".label-answer-body").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("d");
  await page.locator("mark").first().waitFor();
  await page.getByRole("button", { name: "A better" }).click();
  await page.getByText("These texts are too long to be compared.").waitFor();
  await waitUntilSaved(page);
  expect(server.readLabels().map(shownChoice)).toEqual(["left"]);
});

test("ranking and rating by keys", async () => {
  const rows = [0, 1, 2].map((i) => ({
    id: `t${String(i)}`,
    prompt: `Question ${String(i)}`,
    candidates: ["w", "x", "y", "z"].map((c) => `${c} ${String(i)}`),
  }));
  server = await startLabelServer(rows);
  let page = await server.open(browser, "Ada");
  const submit = page.getByRole("button", { name: "Submit" });
  // The focus goes to the next answer without a place; the same place twice is a tie.
  for (const key of ["2", "1", "2"]) await page.keyboard.press(key);
  expect(await submit.isDisabled()).toBe(true);
  await page.keyboard.press("Enter");
  expect(await page.locator(".label-prompt-body").innerText()).toContain("Question 0");
  await page.keyboard.press("4");
  await page.keyboard.press("Enter");
  // By dragging: D to the first lane.
  const lanes = page.locator(".label-lane");
  for (const [letter, lane] of [
    ["D", 0],
    ["A", 1],
    ["B", 1],
    ["C", 2],
  ] as const)
    await page.locator(".label-chip", { hasText: letter }).dragTo(lanes.nth(lane));
  await submit.click();
  await page.keyboard.press("0");
  await waitUntilSaved(page);
  const shown = ({ ranking, order }: StoredLabel): number[][] | undefined =>
    ranking?.map((group) => group.map((candidate) => order.indexOf(candidate)).sort((a, b) => a - b));
  expect(server.readLabels().map((row) => [row.choice, shown(row)])).toEqual([
    [null, [[1], [0, 2], [3]]],
    [null, [[3], [0, 1], [2]]],
    ["both_bad", undefined],
  ]);
  await server.close();
  server = await startLabelServer(rows, ["--mode", "rating"]);
  page = await server.open(browser, "Ada");
  for (const key of ["5", "3", "ArrowRight", "1", "Enter"]) await page.keyboard.press(key);
  await waitUntilSaved(page);
  const [{ ratings = [], order }] = server.readLabels();
  expect(order.map((candidate) => ratings[candidate])).toEqual([5, 3, null, 1]);
});

test("a file without tasks to come says so; a name can be changed", async () => {
  server = await startLabelServer(makePairs(1));
  const page = await server.open(browser, "Ada");
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: "All is labelled" }).waitFor();
  await page.getByRole("button", { name: "You label as Ada; change the name" }).click();
  await page.getByLabel("Your name").fill("Bob");
  await page.getByRole("button", { name: "Start labeling" }).click();
  await page.getByRole("button", { name: "You label as Bob; change the name" }).waitFor();
  await page.goto(`${server.ui.origin}/#/label/nothing`);
  await page.getByRole("heading", { name: "There is no such project" }).waitFor();
});
