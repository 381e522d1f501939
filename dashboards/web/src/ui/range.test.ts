import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { around, BINARY, DECIMAL, fromZero } from "./range";

describe("the scale of a chart", () => {
  it("holds every value, starts at zero and is never empty", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e14, noNaN: true }), fc.constantFrom(BINARY, DECIMAL), (highest, steps) => {
        const [low, high] = fromZero(steps, 5)(0, highest);
        expect(low).toBe(0);
        expect(high).toBeGreaterThanOrEqual(Math.max(5, highest));
      }),
    );
    expect(fromZero(DECIMAL, 5, 100)(0, 99)).toEqual([0, 100]);
    expect(fromZero(DECIMAL, 5, 100)(null, null)).toEqual([0, 5]);
  });

  it("holds temperatures with air around them", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -60, max: 150, noNaN: true }),
        fc.double({ min: 0, max: 90, noNaN: true }),
        (lowest, span) => {
          const [low, high] = around(lowest, lowest + span);
          expect(low).toBeLessThanOrEqual(lowest - 4);
          expect(high).toBeGreaterThanOrEqual(lowest + span + 4);
        },
      ),
    );
  });
});
