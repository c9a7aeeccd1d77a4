/** What the labels say together: agreement, choices, and signs that people did not look. */
import type { Agreement, Bias, LabelMode, Progress } from "../../../../src/server/ui/label/protocol.ts";
import { choiceNames } from "./draft.ts";
import { labelApi } from "./label-api.ts";
import { useFresh } from "./use-fresh.ts";

const percent = (share: number | null): string => (share === null ? "–" : `${String(Math.round(share * 100))} %`);
const fixed = (value: number | null, digits = 2): string => (value === null ? "–" : value.toFixed(digits));

export interface StatisticsPageProps {
  readonly project: string;
  readonly mode: LabelMode;
  readonly progress: Progress;
  /** The figures are asked for anew where it is another number. */
  readonly changes: number;
}

export function StatisticsPage({ project, mode, progress, changes }: StatisticsPageProps) {
  const statistics = useFresh(() => labelApi.statistics(project), changes);
  if (statistics === null) return <p class="label-note label-page">Counting…</p>;
  const { labels, choices, agreement, bias, pairs } = statistics;
  if (labels === 0)
    return (
      <div class="label-page">
        <h1>Statistics</h1>
        <p>There are no labels yet.</p>
      </div>
    );
  return (
    <div class="label-page">
      <h1>Statistics</h1>
      <dl class="label-numbers">
        <Figure name="labels" value={String(labels)} />
        <Figure name="training pairs" value={String(pairs.usable)} />
        <Figure name="ties" value={String(pairs.ties)} />
        <Figure name="agreement" value={percent(agreement.raw)} />
      </dl>
      <h2>Agreement</h2>
      <AgreementText agreement={agreement} />
      {agreement.cohen.length > 0 && <CohenTable agreement={agreement} />}
      {mode === "pair" && (
        <>
          <h2>Choices</h2>
          <ul class="label-bars">
            {(["left", "right", "tie", "both_bad", "skip", "flag"] as const).map((choice) => (
              <li key={choice}>
                <span>{choiceNames[choice]}</span>
                <meter
                  min={0}
                  max={labels}
                  value={choices[choice]}
                  aria-label={`${choiceNames[choice]}: ${String(choices[choice])} of ${String(labels)}`}
                />
                <span class="label-figures">
                  {choices[choice]} <span class="label-note">{percent(choices[choice] / labels)}</span>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <h2>People</h2>
      <PeopleTable progress={progress} />
      <h2>Signs of bias</h2>
      <BiasTable bias={bias} mode={mode} />
    </div>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function AgreementText({ agreement: { tasks, raw, rawWithoutTies, krippendorffAlpha } }: { agreement: Agreement }) {
  if (tasks === 0 || raw === null)
    return (
      <p>
        Nobody has labelled the same task as somebody else yet, so agreement cannot be told. Let some tasks be labelled by all: a tenth is
        enough.
      </p>
    );
  return (
    <>
      <p>
        On {tasks} {tasks === 1 ? "task" : "tasks"} that at least two people have labelled, they say the same in{" "}
        <strong>{percent(raw)}</strong> of comparisons
        {rawWithoutTies !== null && <> ({percent(rawWithoutTies)} where nobody says tie)</>}. {judgeRaw(raw)}
      </p>
      {krippendorffAlpha !== null && (
        <p>
          Krippendorff's alpha, which takes agreement by chance away, is <strong>{fixed(krippendorffAlpha)}</strong>:{" "}
          {judgeAlpha(krippendorffAlpha)}
        </p>
      )}
    </>
  );
}

/** 63–77 %: published agreement of trained labelers on preferences (summaries, InstructGPT). */
function judgeRaw(raw: number): string {
  if (raw > 0.77) return "Trained labelers agree in 63–77 % of such comparisons; this is above it: the tasks are clear, or easy.";
  if (raw >= 0.63) return "That is what trained labelers reach on such comparisons: 63–77 %.";
  return "Trained labelers reach 63–77 % on such comparisons; this is below it. Look at what people disagree about, and sharpen the guidelines.";
}

function judgeAlpha(alpha: number): string {
  if (alpha >= 0.8) return "reliable.";
  if (alpha >= 0.667) return "good enough for cautious conclusions.";
  if (alpha >= 0.2) return "usual for preferences, where taste differs; more labels per task make up for it.";
  if (alpha >= 0) return "hardly better than chance.";
  return "worse than chance: somebody may have understood the task the other way round.";
}

function PeopleTable({ progress }: { progress: Progress }) {
  return (
    <div class="table-frame" tabIndex={0} role="group" aria-label="Progress by person">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col" class="numeric">
              Done
            </th>
            <th scope="col" class="numeric">
              Open
            </th>
            <th scope="col" class="numeric">
              An hour
            </th>
            <th scope="col" class="numeric">
              Median time
            </th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(progress.annotators).map(([name, { done, left, perHour, medianSeconds }]) => (
            <tr key={name}>
              <td>{name}</td>
              <td class="numeric">{done}</td>
              <td class="numeric">{left}</td>
              <td class="numeric">{perHour === null ? "–" : Math.round(perHour).toLocaleString("en")}</td>
              <td class="numeric">{medianSeconds === null ? "–" : `${medianSeconds.toFixed(1)} s`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CohenTable({ agreement }: { agreement: Agreement }) {
  return (
    <div class="table-frame" tabIndex={0} role="group" aria-label="Agreement of each two people">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Two people</th>
            <th scope="col" class="numeric">
              Tasks in common
            </th>
            <th scope="col" class="numeric">
              Same
            </th>
            <th scope="col" class="numeric">
              Cohen's kappa
            </th>
          </tr>
        </thead>
        <tbody>
          {agreement.cohen.map(({ a, b, tasks, raw, kappa }) => (
            <tr key={`${a} ${b}`}>
              <td>
                {a} and {b}
              </td>
              <td class="numeric">{tasks}</td>
              <td class="numeric">{percent(raw)}</td>
              <td class="numeric">{fixed(kappa)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function BiasTable({ bias, mode }: { bias: readonly Bias[]; mode: LabelMode }) {
  const isPair = mode === "pair";
  return (
    <>
      <div class="table-frame" tabIndex={0} role="group" aria-label="Signs of bias by person">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Who</th>
              {isPair && (
                <>
                  <th scope="col" class="numeric">
                    A chosen
                  </th>
                  <th scope="col" class="numeric">
                    p
                  </th>
                  <th scope="col" class="numeric">
                    Longer is better
                  </th>
                </>
              )}
              <th scope="col" class="numeric">
                Under 3 s
              </th>
            </tr>
          </thead>
          <tbody>
            {bias.map(({ annotator, left, right, binomialP, lengthCorrelation, tooFast }) => (
              <tr key={annotator ?? ""}>
                <td>{annotator ?? <strong>Everybody</strong>}</td>
                {isPair && (
                  <>
                    <td class="numeric">
                      {left + right === 0 ? "–" : percent(left / (left + right))} of {left + right}
                    </td>
                    <td class={`numeric${binomialP !== null && binomialP < 0.05 ? " label-alarm" : ""}`}>{fixed(binomialP, 3)}</td>
                    <td class={`numeric${lengthCorrelation !== null && Math.abs(lengthCorrelation) > 0.4 ? " label-alarm" : ""}`}>
                      r {fixed(lengthCorrelation)}
                    </td>
                  </>
                )}
                <td class={`numeric${tooFast > 0.2 ? " label-alarm" : ""}`}>{percent(tooFast)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {isPair && (
        <p class="label-note">
          Sides are drawn at random, so A should be chosen in half of the cases; p is how likely a share this far from half is by chance. r
          is the correlation of the choice with the difference of lengths.
        </p>
      )}
    </>
  );
}
