/** Names of metrics as Transformers' integrations show them, so that runs of both lie in one chart. */

/** `loss` becomes train/loss, `eval_loss` eval/loss. */
export function nameMetric(metric: string): string {
  if (metric.startsWith("eval_")) return `eval/${metric.slice(5)}`;
  if (metric.startsWith("test_")) return `test/${metric.slice(5)}`;
  return `train/${metric}`;
}

/** A row of metrics under those names, without its step. */
export function renameMetrics(row: { readonly [metric: string]: number }): { [name: string]: number } {
  const renamed: { [name: string]: number } = {};
  for (const [metric, value] of Object.entries(row)) {
    if (metric !== "step" && typeof value === "number") renamed[nameMetric(metric)] = value;
  }
  return renamed;
}
