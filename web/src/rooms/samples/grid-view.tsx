/** Rows of prompts, a cell a column: as text, with what differs from the first, or coloured by a reward model. */
import { useMemo } from "preact/hooks";
import type { Grid, GridCell, GridRow, SamplePrompt } from "../../../../src/server/ui/samples/protocol.ts";
import { diffTexts, type TextDiff } from "../label/word-diff.ts";
import { heats, keyOf, measure, rewardModel } from "./heat-store.ts";
import { findScale } from "./heat-values.ts";
import { formatSigned, HeatText } from "./heat-text.tsx";
import type { CellView } from "./samples-store.ts";
import { isHeat } from "./is-heat.ts";
import { mergeDiff } from "./merge-diff.ts";

export function GridView({ grid, view }: { readonly grid: Grid; readonly view: CellView }) {
  const { columns, rows } = grid;
  return (
    <div class="samples-frame" role="region" aria-label="Texts side by side" tabIndex={0}>
      <table class={`samples-table columns-${columns.length}`}>
        <thead>
          <tr>
            <th scope="col" class="samples-prompt">
              Prompt
            </th>
            {columns.map(({ id, name, source, summary, rows: all }) => (
              <th scope="col" key={id}>
                <span class="samples-column-name">{name}</span>
                <span class="samples-column-source" title={source}>
                  {source === name ? "" : source}
                </span>
                <span class="samples-summary">
                  {summary.rows === all ? `${all} texts` : `${summary.rows} of ${all} texts`}
                  {summary.meanLength !== null && `, ${summary.meanLength.toFixed(0)} characters`}
                  {Object.entries(summary.meanScores).map(([score, mean]) => (
                    <span key={score} class="samples-score" title={`Mean of ${score}`}>
                      {score} {formatSigned(mean)}
                    </span>
                  ))}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.key} row={row} grid={grid} view={view} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, grid, view }: { readonly row: GridRow; readonly grid: Grid; readonly view: CellView }) {
  const { prompt, cells } = row;
  const first = cells.find((cell) => cell !== null);
  return (
    <tr>
      <th scope="row" class="samples-prompt">
        <PromptText prompt={prompt} />
      </th>
      {cells.map((cell, i) => (
        <td key={grid.columns[i].id}>
          <span class="samples-cell-name" aria-hidden="true">
            {grid.columns[i].name}
          </span>
          {cell === null ? (
            <span class="samples-none">no text for this prompt</span>
          ) : (
            <Cell cell={cell} prompt={prompt} view={view} first={cell === first ? undefined : first?.text} label={grid.columns[i].name} />
          )}
        </td>
      ))}
    </tr>
  );
}

export function PromptText({ prompt }: { readonly prompt: SamplePrompt }) {
  if (typeof prompt === "string") return <div class="samples-prompt-text">{prompt}</div>;
  return (
    <div class="samples-prompt-text">
      {prompt.map(({ role, content }, i) => (
        <div key={i}>
          <small>{role}</small> {content}
        </div>
      ))}
    </div>
  );
}

interface CellProps {
  readonly cell: GridCell;
  readonly prompt: SamplePrompt;
  readonly view: CellView;
  /** The text that this one is compared with; undefined for the first. */
  readonly first: string | undefined;
  readonly label: string;
}

function Cell({ cell, prompt, view, first, label }: CellProps) {
  const heat = view === "heat" ? heats.value.get(keyOf(rewardModel.value, { prompt, text: cell.text })) : undefined;
  const total = isHeat(heat) ? heat.score : undefined;
  return (
    <>
      {view === "heat" && isHeat(heat) ? (
        <HeatText heat={heat} by={measure.value} scale={currentScale()} label={label} />
      ) : view === "diff" && first !== undefined ? (
        <DiffText before={first} after={cell.text} />
      ) : (
        <div class="samples-text">{cell.text === "" ? <span class="samples-none">empty</span> : cell.text}</div>
      )}
      {heat !== undefined && !isHeat(heat) && <p class="samples-problem">{heat.error}</p>}
      <p class="samples-facts">
        {total !== undefined && (
          <span class="samples-score strong" title="The reward model's score of the whole text">
            reward {formatSigned(total)}
          </span>
        )}
        <span>{[...cell.text].length} characters</span>
        {Object.entries(cell.scores).map(([name, score]) => (
          <span key={name} class="samples-score">
            {name} {formatSigned(score)}
          </span>
        ))}
      </p>
    </>
  );
}

/** One scale for all that is in sight. */
export function currentScale(): number {
  const model = rewardModel.value;
  const mine = [...heats.value].flatMap(([key, heat]) => (key.startsWith(`[${JSON.stringify(model)},`) && isHeat(heat) ? heat : []));
  return findScale(mine, measure.value);
}

function DiffText({ before, after }: { readonly before: string; readonly after: string }) {
  const diff = useMemo<TextDiff>(() => diffTexts(before, after), [before, after]);
  return (
    <div class="samples-text">
      {mergeDiff(diff).map(({ text, kind }, i) =>
        kind === "same" ? <span key={i}>{text}</span> : kind === "added" ? <ins key={i}>{text}</ins> : <del key={i}>{text}</del>,
      )}
      {diff.by === "none" && <p class="samples-note">Too long to be compared word by word.</p>}
    </div>
  );
}
