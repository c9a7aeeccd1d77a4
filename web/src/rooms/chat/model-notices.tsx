/** What one should know of the chosen models: still loading, failed, without a chat template. */
import type { ModelDetails, ModelEntry } from "../../../../src/server/ui/chat/protocol.ts";
import { ApiError } from "../../api.ts";

export function ModelNotices({
  details,
  chosen,
  continues,
  names,
}: {
  readonly details: readonly (ModelDetails | ApiError | undefined)[];
  readonly chosen: readonly string[];
  readonly continues: boolean;
  readonly names: readonly ModelEntry[];
}) {
  const nameOf = (id: string | undefined): string => names.find((model) => model.id === id)?.name ?? "The model";
  const failed = details.flatMap((one, i) => (one instanceof ApiError ? [{ id: chosen[i], error: one }] : []));
  const base = details.filter((one): one is ModelDetails => one !== undefined && !(one instanceof ApiError) && !one.hasChatTemplate);
  const loading = chosen.filter((_, i) => details[i] === undefined);
  return (
    <>
      {loading.map((id) => (
        <p key={id} class="chat-notice late" role="status">
          Loading {nameOf(id)}
          {names.find((model) => model.id === id)?.modified === null ? ": it is downloaded first, which may take minutes." : "…"}
        </p>
      ))}
      {failed.map(({ id, error }) => (
        <p key={id} class="chat-notice bad" role="alert">
          <strong>{nameOf(id)} cannot be loaded.</strong> {error.message} {error.hint}
        </p>
      ))}
      {base.length > 0 && (
        <p class="chat-notice">
          <strong>{[...new Set(base.map(({ name }) => name))].join(" and ")}</strong>{" "}
          {new Set(base.map(({ name }) => name)).size === 1 ? "has" : "have"} no chat template: what you write is continued
          {continues ? ", not answered." : " there, and answered by the other model."}
        </p>
      )}
    </>
  );
}
