/** `spar serve` as a process: it says where it is, answers, refuses, and ends when it is told to. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { tinyModel } from "../invariants/tiny-run.ts";
import { startSpar } from "./spar.ts";

test("answers while it runs; Ctrl-C ends it with 0 even in the middle of an answer", async () => {
  const spar = startSpar(["serve", "--model", tinyModel, "--port", "0", "--json"]);
  let out = "";
  spar.child.stdout?.on("data", (text: string) => {
    out += text;
  });
  await spar.waitFor("base_url");
  const { url, model } = JSON.parse(out) as { url: string; model: string };
  expect(model).toBe("stories260K");
  const ask = (body: object) =>
    fetch(`${url}/v1/completions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = (await (await ask({ prompt: "Once upon", max_tokens: 5, temperature: 0 })).json()) as { choices: { text: string }[] };
  expect(answer.choices[0].text.length).toBeGreaterThan(0);

  // By another name: a raw socket, as fetch sets Host itself.
  const { hostname, port } = new URL(url);
  const refused = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
    );
    let text = "";
    socket.on("data", (data: Buffer) => {
      text += data.toString();
    });
    socket.on("end", () => resolve(text)).on("error", reject);
  });
  expect(refused).toMatch(/^HTTP\/1\.1 403 /);

  const stream = await ask({ prompt: "Once upon", max_tokens: 450, n: 8, stream: true });
  await stream.body?.getReader().read();
  spar.child.kill("SIGINT");
  expect(await spar.finished).toMatchObject({ code: 0 });
});

test("a port that is taken is an error that says so", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await startSpar(["serve", "--model", tinyModel, "--port", String(port)]).finished;
  other.close();
  expect(code).toBe(1);
  expect(stderr).toMatch(/another program listens there/);
});
