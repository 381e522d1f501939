import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

export interface Column<T> {
  title: string;
  /** Numbers stand right. */
  numeric?: boolean;
  /** Left out where the screen is narrow. */
  minor?: boolean;
  /** Takes the room that is left; a `Named` in it is cut when it is too long. */
  wide?: boolean;
  cell: (row: T) => ComponentChildren;
}

/** Rows under named columns, the first one naming its row; long tables show their beginning until asked for the rest. */
export function Table<T>(props: {
  caption: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  shown?: number;
}) {
  const [all, setAll] = useState(false);
  const limit = props.shown ?? 8;
  const rows = all ? props.rows : props.rows.slice(0, limit);
  const looks = (column: Column<T>) =>
    [column.numeric && "numeric", column.minor && "minor", column.wide && "wide"].filter(Boolean).join(" ");
  return (
    <div class="table">
      <table>
        <caption class="hidden">{props.caption}</caption>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <th key={column.title} scope="col" class={looks(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={props.rowKey(row)}>
              {props.columns.map((column, index) =>
                index === 0 ? (
                  <th key={column.title} scope="row" class={looks(column)}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.title} class={looks(column)}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {props.rows.length > limit && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${props.rows.length}`}
        </button>
      )}
    </div>
  );
}

/** A name as the machine has it, cut where the room ends, and remarks behind it that are never cut. */
export function Named(props: {
  name: string;
  title?: string;
  before?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <span class="named">
      {props.before}
      <span class="name" title={props.title ?? props.name}>
        {props.name}
      </span>
      {props.children}
    </span>
  );
}
