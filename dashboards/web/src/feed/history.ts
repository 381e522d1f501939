import schema from "../contract/system_history.schema.json";
import type { SystemHistory } from "../contract/types";
import { conformer, report } from "./conform";

const conform = conformer(schema);

/**
 * The history in an answer of `api/system/history`. A column that does not conform, or has not a value for each time, is left out and
 * reported; without times in their order there is no history.
 */
export function parseHistory(text: string): SystemHistory {
  const history = JSON.parse(text) as SystemHistory;
  const faults = conform(history);
  if (!faults || faults.some(({ path }) => path[0] === "times")) throw new Error("the history is unreadable");
  // An element that was left out has moved those behind it to other times.
  const moved = new Set(faults.map(({ path }) => path[1] ?? ""));
  const columns = Object.entries(history.series);
  history.series = Object.fromEntries(
    columns.filter(([name, column]) => !moved.has(name) && column.length === history.times.length),
  );
  for (const { path, why } of faults) report("system_history", path, why);
  return history;
}
