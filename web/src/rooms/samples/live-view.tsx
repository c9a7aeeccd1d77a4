/** Texts that are being generated, as they come. */
import { Button } from "../../components/button.tsx";
import { stopGenerating, type LiveGrid } from "./samples-store.ts";

export function LiveView({ live }: { readonly live: LiveGrid }) {
  const { models, prompts, cells } = live;
  const done = cells.flat().filter(({ state }) => state === "done").length;
  const all = cells.flat().length;
  return (
    <>
      <div class="samples-live-head">
        <progress max={all} value={done} aria-label="Texts that are done" />
        <span class="samples-note">
          {done} of {all} texts
        </span>
        <Button size="small" icon="stop" onClick={stopGenerating}>
          Stop and keep what is done
        </Button>
      </div>
      <div class="samples-frame" role="region" aria-label="Texts being generated" tabIndex={0}>
        <table class={`samples-table columns-${models.length}`} aria-busy="true">
          <thead>
            <tr>
              <th scope="col" class="samples-prompt">
                Prompt
              </th>
              {models.map(({ id, name, problem, isLoading }) => (
                <th scope="col" key={id}>
                  <span class="samples-column-name">{name}</span>
                  {isLoading === true && <span class="samples-summary">loading…</span>}
                  {problem !== undefined && <span class="samples-problem">{problem}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {prompts.map((prompt, row) => (
              <tr key={row}>
                <th scope="row" class="samples-prompt">
                  <div class="samples-prompt-text">{prompt}</div>
                </th>
                {models.map(({ id, name, problem }, m) => {
                  const { text, state } = cells[m][row];
                  return (
                    <td key={id}>
                      <span class="samples-cell-name" aria-hidden="true">
                        {name}
                      </span>
                      {state === "waiting" ? (
                        <span class="samples-none">{problem === undefined ? "waiting" : "–"}</span>
                      ) : (
                        <div class={`samples-text${state === "streaming" ? " streaming" : ""}`}>{text}</div>
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
