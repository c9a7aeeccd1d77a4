/** A proxy in front of a server, that loses requests or their answers, as networks do. */
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";

/** `before`: the request never arrives; `after`: it does, and its answer is lost; `busy`: 503 instead of it. */
export type Fate = "pass" | "before" | "after" | "busy";

export interface LossyProxy {
  readonly url: string;
  readonly lost: number;
  close(): void;
}

/** @param decide of the number of requests before, and what is asked for */
export async function startLossyProxy(target: string, decide: (count: number, method: string, path: string) => Fate): Promise<LossyProxy> {
  let [count, lost] = [0, 0];
  const server = createServer((incoming, outgoing) => {
    const { method = "GET", url: path = "/" } = incoming;
    const fate = decide(count++, method, path);
    if (fate !== "pass") lost++;
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      if (fate === "before") {
        incoming.socket.destroy();
        return;
      }
      if (fate === "busy") {
        outgoing.writeHead(503, { "retry-after": "0" }).end("<html>busy</html>");
        return;
      }
      const upstream = forward(target + path, { method, headers: { ...incoming.headers, host: new URL(target).host } }, (answer) => {
        if (fate === "after") {
          // All of it, so that the server has done what it was asked.
          answer.resume().on("end", () => incoming.socket.destroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      upstream.on("error", () => incoming.socket.destroy());
      upstream.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get lost() {
      return lost;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
