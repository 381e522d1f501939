import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeRoutes } from "../../dev/routes.mjs";
import type { SystemHistory } from "../contract/types";
import { parseHistory } from "./history";

const ANSWER = makeRoutes("usual", 1, 60).answer(new URL("http://mock/api/system/history"))[1] as SystemHistory;

function parsed(change: (history: SystemHistory) => void): SystemHistory {
  const history = JSON.parse(JSON.stringify(ANSWER)) as SystemHistory;
  change(history);
  return parseHistory(JSON.stringify(history));
}

afterEach(() => vi.restoreAllMocks());

describe("the history", () => {
  it("is taken as the agent sends it", () => {
    expect(parsed(() => {})).toEqual(JSON.parse(JSON.stringify(ANSWER)));
  });

  it("loses the column that does not conform, and no value of another one moves", () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const names = Object.keys(ANSWER.series) as (keyof SystemHistory["series"])[];
    const wrong = fc.constantFrom<unknown>("words", true, {}, [1]);
    const property = fc.property(
      fc.constantFrom(...names),
      fc.nat(ANSWER.times.length - 1),
      wrong,
      (name, row, value) => {
        const history = parsed(({ series }) => {
          (series[name] as unknown[])[row] = value;
        });
        const { [name]: _, ...others } = ANSWER.series;
        expect(history).toEqual({ ...ANSWER, series: others });
      },
    );
    fc.assert(property, { numRuns: 200 });
    expect(said).toHaveBeenCalled();
  });

  it("loses a column that has not a value for each time", () => {
    const history = parsed(({ series }) => series.cpu_percent?.pop());
    expect(Object.keys(history.series)).toEqual(Object.keys(ANSWER.series).filter((name) => name !== "cpu_percent"));
  });

  it("is none without its times, and what is no history is none", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    for (const times of [undefined, null, 7, ["noon"]]) {
      expect(() => parsed((history) => Object.assign(history, { times }))).toThrow();
    }
    for (const text of ["", "{}", "[]", "null", '{"error": {}}']) expect(() => parseHistory(text)).toThrow();
  });
});
