/** What a series did in a stretch of time; null where nothing is known. */
export interface Summary {
  now: number | null;
  average: number | null;
  maximum: number | null;
}

/** Sums up `values` from `first` on. Unknown values count for nothing. */
export function summarize(values: readonly (number | null)[], first: number): Summary {
  let sum = 0;
  let count = 0;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let index = Math.max(0, first); index < values.length; index += 1) {
    const value = values[index];
    if (value === null || value === undefined) continue;
    sum += value;
    count += 1;
    if (value > maximum) maximum = value;
  }
  return {
    now: values.at(-1) ?? null,
    average: count > 0 ? sum / count : null,
    maximum: count > 0 ? maximum : null,
  };
}
