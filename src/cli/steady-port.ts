import { createHash } from "node:crypto";
import { createServer } from "node:net";

/**
 * A free port that is the same each time for the same text, where it can be had; otherwise 0, any free one. What a browser keeps of a
 * page, labels that wait to be sent among it, it keeps by address and port.
 */
export async function findSteadyPort(text: string, host: string): Promise<number> {
  // Below the ports that systems hand out by themselves, above those of well-known services.
  const port = 20_000 + (createHash("sha256").update(text).digest().readUInt32LE(0) % 12_000);
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(0));
    probe.listen(port, host, () => probe.close(() => resolve(port)));
  });
}
