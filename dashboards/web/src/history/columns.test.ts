import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SystemUpdate } from "../feed/message";
import { Columns, type History, MOST_POINTS, type Row, rowOf, SERIES } from "./columns";
import { summarize } from "./summary";

function row(value: number | null): Row {
  return Object.fromEntries(SERIES.map((name) => [name, value])) as Row;
}

function history(times: number[], step = 1, value = 7): History {
  return { step_seconds: step, times, series: { cpu_percent: times.map(() => value) } };
}

function points(columns: Columns): [number, number | null][] {
  return columns.times.map((time, index) => [time, columns.series.cpu_percent[index] ?? null]);
}

describe("the columns of the charts", () => {
  it("mark a pause as a gap", () => {
    const columns = new Columns(900);
    for (const time of [100, 101, 102, 130, 131]) columns.push(time, row(time), 1);
    expect(points(columns)).toEqual([
      [100, 100],
      [101, 101],
      [102, 102],
      [103, null],
      [130, 130],
      [131, 131],
    ]);
  });

  it("keep what the page saw before a restart, and leave the time without an agent open", () => {
    const columns = new Columns(900);
    for (const time of [100, 101, 102]) columns.push(time, row(1), 1);
    columns.push(140, row(3), 1);
    columns.merge(history([138, 139, 140]));
    expect(points(columns)).toEqual([
      [100, 1],
      [101, 1],
      [102, 1],
      [103, null],
      [138, 7],
      [139, 7],
      [140, 7],
    ]);
  });

  it("fill the gap that a lost connection left from what the agent remembers", () => {
    const columns = new Columns(900);
    for (const time of [100, 101]) columns.push(time, row(1), 1);
    columns.push(106, row(2), 1);
    columns.merge(history([101.1, 102, 103, 104, 105, 106]));
    columns.push(107, row(2), 1);
    expect(columns.times).toEqual([100, 101.1, 102, 103, 104, 105, 106, 107]);
    expect(columns.series.cpu_percent).not.toContain(null);
  });

  it("keep the page's own points of series that the agent does not remember", () => {
    const columns = new Columns(900);
    for (const time of [100, 101, 102]) columns.push(time, row(time), 1);
    columns.merge(history([98.9, 100.1, 101.1, 102]));
    expect(columns.series.cpu_percent).toEqual([7, 7, 7, 7]);
    expect(columns.series.gpu_percent).toEqual([null, 100, 101, 102]);
    columns.merge({ ...history([100.1, 101.1]), series: { gpu_percent: [1, 2] } });
    expect(columns.series.gpu_percent).toEqual([null, 1, 2, 102]);
  });

  it("forget a future that never was when the machine's clock is set back", () => {
    const columns = new Columns(900);
    for (const time of [1000, 1001, 1002, 500]) columns.push(time, row(time), 1);
    expect(points(columns)).toEqual([[500, 500]]);
  });

  it("stay sorted, equally long and bounded, and hold only what was given, whatever comes", () => {
    const action = fc.oneof(
      fc.tuple(fc.constant("push" as const), fc.double({ min: 0.05, max: 30, noNaN: true })),
      fc.tuple(fc.constant("run" as const), fc.integer({ min: 1, max: 4000 })),
      fc.tuple(fc.constant("back" as const), fc.double({ min: 0, max: 5000, noNaN: true })),
      fc.tuple(fc.constant("merge" as const), fc.integer({ min: 0, max: 1200 })),
      fc.tuple(fc.constant("widen" as const), fc.constantFrom(300, 900, 3600)),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        const columns = new Columns(900);
        let now = 1e9;
        let newest: number | null = null;
        for (const [name, amount] of actions) {
          if (name === "push" || name === "run") {
            for (let count = name === "run" ? amount : 1; count > 0; count -= 1) {
              now += name === "run" ? 1 : amount;
              columns.push(now, row(now), 1);
            }
            newest = now;
          } else if (name === "back") {
            now -= amount;
          } else if (name === "merge") {
            const times = Array.from({ length: amount }, (_, index) => now - amount + index + 1);
            columns.merge(history(times));
            if (amount > 0) newest = null;
          } else {
            columns.widen(amount);
          }

          const { times, series } = columns;
          expect(times.every((time, index) => index === 0 || time > (times[index - 1] as number))).toBe(true);
          for (const key of SERIES) expect(series[key].length).toBe(times.length);
          expect(times.length).toBeLessThanOrEqual(2 * MOST_POINTS + 512);
          // A pushed value stands at its own time; one from the history is its 7; a gap is nothing.
          expect(points(columns).every(([time, value]) => value === null || value === 7 || value === time)).toBe(true);
          // What came last is shown, unless it fell together with the point before it.
          if (newest !== null && name !== "back")
            expect(Math.abs((columns.last as number) - newest)).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("make a row of an update without inventing anything", () => {
    const update = {
      metrics: {
        memory: { percent: 41 },
        temperature: { a: [{ label: "x", current: 40 }], b: [{ label: "y", current: 61.5 }] },
      },
    };
    const made = rowOf(update as unknown as SystemUpdate);
    expect(made).toEqual({ ...row(null), memory_percent: 41, temperature_celsius: 61.5 });
    expect(rowOf({ metrics: {} } as SystemUpdate)).toEqual(row(null));
  });
});

describe("a summary", () => {
  it("leaves unknown values out", () => {
    expect(summarize([100, null, 2, 4, null], 1)).toEqual({ now: null, average: 3, maximum: 4 });
    expect(summarize([null, null], 0)).toEqual({ now: null, average: null, maximum: null });
    expect(summarize([], 0)).toEqual({ now: null, average: null, maximum: null });
  });
});

describe("the row of an update", () => {
  const gpus = (gpu: unknown) => rowOf({ metrics: { gpu } } as SystemUpdate);

  it("sums GPUs up over the cards that tell", () => {
    const cards = [
      { load_percent: 80, memory_used_mb: 6_000, memory_total_mb: 24_000 },
      { load_percent: 20, memory_used_mb: 6_000, memory_total_mb: 8_000 },
      { load_percent: null, memory_used_mb: 1_000, memory_total_mb: null, reason: "unreachable" },
    ];
    expect(gpus(cards)).toMatchObject({ gpu_percent: 50, gpu_memory_percent: 37.5 });
  });

  it("knows nothing of GPUs that are not there or do not tell", () => {
    for (const cards of [undefined, null, [], [{ reason: "unreachable" }]]) {
      expect(gpus(cards)).toMatchObject({ gpu_percent: null, gpu_memory_percent: null });
    }
  });
});
