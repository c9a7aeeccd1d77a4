import type { ComponentChildren } from "preact";

/** A table that scrolls by itself where it is too wide, also by keyboard. Rows and cells are the caller's own. */
export function Table({
  label,
  head,
  children,
  dense = false,
}: {
  label: string;
  head: ComponentChildren;
  children: ComponentChildren;
  dense?: boolean;
}) {
  return (
    <div class="table-frame" role="region" aria-label={label} tabIndex={0}>
      <table class={dense ? "table table-dense" : "table"}>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A head that sorts when it is pressed. */
export function SortHead({
  children,
  order,
  onSort,
  numeric = false,
}: {
  children: ComponentChildren;
  /** Undefined: sorted by something else. */
  order?: "ascending" | "descending" | undefined;
  onSort: () => void;
  numeric?: boolean;
}) {
  return (
    <th scope="col" aria-sort={order ?? "none"} class={numeric ? "numeric" : undefined}>
      <button type="button" class="sort-head" onClick={onSort}>
        {children}
        <span aria-hidden="true" class="sort-mark">
          {order === "ascending" ? "↑" : order === "descending" ? "↓" : ""}
        </span>
      </button>
    </th>
  );
}
