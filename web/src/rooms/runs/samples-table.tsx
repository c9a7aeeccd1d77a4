import type { ShownSample } from "../../../../src/server/ui/runs/protocol.ts";
import { Table } from "../../components/table.tsx";
import { diffTexts, type DiffPart } from "../label/word-diff.ts";
import { formatNumber } from "./format.ts";

/** Texts are a model's: shown as text. `others`: for each row the sample to compare with. */
export function SamplesTable({
  rows,
  isStepShown,
  others,
  otherName,
}: {
  rows: readonly ShownSample[];
  isStepShown: boolean;
  others: readonly (ShownSample | undefined)[] | undefined;
  otherName: string | undefined;
}) {
  const scores = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  return (
    <Table
      label="Samples"
      head={
        <>
          {isStepShown ? (
            <th scope="col" class="numeric">
              Step
            </th>
          ) : null}
          <th scope="col">Prompt</th>
          {others === undefined ? null : <th scope="col">{otherName}</th>}
          <th scope="col">{others === undefined ? "Completion" : "Here"}</th>
          {scores.map((name) => (
            <th scope="col" class="numeric" key={name}>
              {name}
            </th>
          ))}
        </>
      }
    >
      {rows.map((row, i) => {
        const other = others?.[i];
        const diff = other === undefined ? undefined : diffTexts(other.completion, row.completion);
        return (
          <tr key={row.row} class="sample-row">
            {isStepShown ? (
              <td class="numeric" data-label="step">
                {row.step}
              </td>
            ) : null}
            <td class="sample-text sample-prompt">{row.prompt}</td>
            {others === undefined ? null : (
              <td class="sample-text">
                {other === undefined ? (
                  <span class="sample-none">No sample with this prompt</span>
                ) : (
                  <Parts parts={diff!.left} kind="del" />
                )}
                {other === undefined ? null : <OtherScores sample={other} />}
              </td>
            )}
            <td class="sample-text">{diff === undefined ? row.completion : <Parts parts={diff.right} kind="ins" />}</td>
            {scores.map((name) => (
              <td class="numeric" key={name} data-label={name}>
                {formatNumber(row.scores[name])}
              </td>
            ))}
          </tr>
        );
      })}
    </Table>
  );
}

function OtherScores({ sample }: { sample: ShownSample }) {
  const scores = Object.entries(sample.scores);
  return scores.length === 0 ? null : (
    <small class="sample-scores">{scores.map(([name, score]) => `${name} ${formatNumber(score)}`).join(" · ")}</small>
  );
}

function Parts({ parts, kind }: { parts: readonly DiffPart[]; kind: "del" | "ins" }) {
  const Tag = kind;
  return <>{parts.map(({ text, own }, i) => (own ? <Tag key={i}>{text}</Tag> : <span key={i}>{text}</span>))}</>;
}
