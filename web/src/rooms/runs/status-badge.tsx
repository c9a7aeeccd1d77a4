import type { ShownStatus } from "../../../../src/server/ui/runs/protocol.ts";
import { Badge } from "../../components/badge.tsx";

const kinds = { running: "accent", paused: "warning", finished: "good", stopped: "neutral", failed: "bad", killed: "bad" } as const;
const titles: { readonly [status in ShownStatus]: string } = {
  running: "Its process is at work",
  paused: "It waits until it is resumed",
  finished: "It did all its steps",
  stopped: "It was asked to stop, and saved",
  failed: "It ended with an error",
  killed: "run.json says running, and its process is gone; the same command with --resume goes on",
};

export function StatusBadge({ status }: { status: ShownStatus }) {
  return (
    <span title={titles[status]} class={status === "running" ? "status-running" : undefined}>
      <Badge kind={kinds[status]} dot>
        {status}
      </Badge>
    </span>
  );
}
