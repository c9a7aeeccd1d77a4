import { useState } from "preact/hooks";
import type { ControlRequest, RunDetail } from "../../../../src/server/ui/runs/protocol.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { showError, showToast } from "../../components/toast.tsx";
import { sendControl } from "./runs-api.ts";

type Request = ControlRequest["request"];

const said: { readonly [request in Request]: string } = {
  stop: "Asked to stop: it saves a checkpoint after this step, and ends.",
  pause: "Asked to pause: it waits after this step.",
  resume: "Going on.",
  save: "Asked to save: a checkpoint is written after this step.",
};

/** What a run obeys between two steps. */
export function RunControls({ run, onDone }: { run: RunDetail; onDone: () => void }) {
  const [busy, setBusy] = useState<Request | null>(null);
  const [isAsking, setAsking] = useState(false);
  if (run.uncontrollable !== null) return null;
  const send = async (request: Request): Promise<void> => {
    setBusy(request);
    try {
      await sendControl(run.id, request);
      showToast(said[request]);
      onDone();
    } catch (error) {
      showError(error);
    }
    setBusy(null);
  };
  const isStopping = run.control === "stop";
  const isPaused = run.status === "paused";
  return (
    <div class="run-controls" role="group" aria-label="Control the run">
      {isPaused ? (
        <Button icon="play" kind="primary" busy={busy === "resume"} onClick={() => void send("resume")}>
          Resume
        </Button>
      ) : (
        <Button icon="pause" busy={busy === "pause"} disabled={isStopping} onClick={() => void send("pause")}>
          Pause
        </Button>
      )}
      <Button
        icon="save"
        busy={busy === "save"}
        disabled={isStopping || isPaused || run.control === "save"}
        title={isPaused ? "A paused run saves nothing: resume it first" : "Write a checkpoint after this step"}
        onClick={() => void send("save")}
      >
        {run.control === "save" ? "Saving" : "Save now"}
      </Button>
      <Button icon="stop" disabled={isStopping} onClick={() => setAsking(true)}>
        {isStopping ? "Stopping" : "Stop"}
      </Button>
      <Dialog
        title="Stop this run?"
        open={isAsking}
        onClose={() => setAsking(false)}
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Let it run</Button>
            <Button
              kind="danger"
              busy={busy === "stop"}
              onClick={() => {
                void send("stop").then(() => setAsking(false));
              }}
            >
              Stop the run
            </Button>
          </>
        }
      >
        <p>
          <strong>{run.name}</strong> saves a checkpoint after the step that it is in, and ends. Nothing is lost: the same command with{" "}
          <code>--resume</code> goes on from there.
        </p>
      </Dialog>
    </div>
  );
}
