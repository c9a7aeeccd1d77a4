/** Which texts stand side by side: columns of runs, reports and files. */
import { useState } from "preact/hooks";
import type { Source, SourceKind } from "../../../../src/server/ui/samples/protocol.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { chooseColumns, columns, sources } from "./samples-store.ts";

const kinds: { readonly [kind in SourceKind]: string } = {
  run: "run",
  quickstart: "quickstart",
  eval: "evaluation",
  generated: "generated here",
  file: "file",
};
const most = 8;

export function ColumnDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const [search, setSearch] = useState("");
  const chosen = columns.value;
  const wanted = search.trim().toLowerCase();
  const found = (sources.value ?? []).filter(
    ({ name, kind, columns: some }) =>
      wanted === "" || [name, kinds[kind], ...some.map((column) => column.name)].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <Dialog
      title="Texts to compare"
      open={open}
      onClose={onClose}
      wide
      actions={
        <>
          <span class="samples-note samples-grow">
            {chosen.length} of at most {most} columns
          </span>
          <Button disabled={chosen.length === 0} onClick={() => chooseColumns([])}>
            None
          </Button>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      <input
        class="input"
        type="search"
        aria-label="Find a source"
        placeholder="Find a run, a file, a step…"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
      />
      <ul class="samples-sources">
        {found.map((source) => (
          <SourceItem key={source.id} source={source} chosen={chosen} />
        ))}
      </ul>
      {found.length === 0 && <p class="samples-note">Nothing is called that.</p>}
    </Dialog>
  );
}

function SourceItem({ source, chosen }: { readonly source: Source; readonly chosen: readonly string[] }) {
  const { name, kind, columns: all, modified } = source;
  const [showsAll, setShowsAll] = useState(false);
  // A long run has hundreds of steps.
  const shown = showsAll || all.length <= 12 ? all : [...all.slice(0, 5), ...all.slice(-5)];
  return (
    <li>
      <p class="samples-source-head">
        <strong>{name}</strong>
        <Badge>{kinds[kind]}</Badge>
        <time dateTime={modified}>{new Date(modified).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}</time>
      </p>
      <div class="samples-checks" role="group" aria-label={`Columns of ${name}`}>
        {shown.map(({ id, name: column, rows }) => {
          const isChosen = chosen.includes(id);
          return (
            <label key={id} class="samples-check">
              <input
                type="checkbox"
                checked={isChosen}
                disabled={!isChosen && chosen.length >= most}
                onChange={() => chooseColumns(isChosen ? chosen.filter((one) => one !== id) : [...chosen, id])}
              />
              <span>
                {column} <small>{rows}</small>
              </span>
            </label>
          );
        })}
        {shown.length < all.length && (
          <button type="button" class="chat-link" onClick={() => setShowsAll(true)}>
            all {all.length}
          </button>
        )}
      </div>
    </li>
  );
}
