import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Gpu } from "../contract/types";
import { UNKNOWN } from "../format/format";
import { part } from "../testing";
import { heatLevel, shareOf, throttling } from "./gpu";

const card = part<Gpu>({ id: 0, name: "a card" });

describe("a card", () => {
  it("is held down by what it says, by nothing, or nobody knows", () => {
    expect(throttling({ ...card, throttle: ["sw_power_cap", "hw_thermal"] })).toBe("sw power cap, hw thermal");
    expect(throttling({ ...card, throttle: [] })).toBe("none");
    expect(throttling({ ...card, throttle: null })).toBe(UNKNOWN);
  });

  it("is hot only near a limit that is known", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -20, max: 130, noNaN: true }),
        fc.double({ min: 60, max: 110, noNaN: true }),
        (now, limit) => {
          const level = heatLevel({ ...card, temperature: now, temperature_slowdown: limit });
          expect(level).toBe(now >= limit ? "critical" : limit - now <= 5 ? "warning" : null);
          expect(heatLevel({ ...card, temperature: now })).toBeNull();
          expect(heatLevel({ ...card, temperature: null, temperature_slowdown: limit })).toBeNull();
        },
      ),
    );
  });

  it("has shares only of a known whole", () => {
    expect(shareOf(12, 24)).toBe(50);
    expect(shareOf(0, 24)).toBe(0);
    for (const [part, whole] of [
      [null, 24],
      [12, null],
      [12, 0],
      [undefined, undefined],
    ])
      expect(shareOf(part, whole)).toBeNull();
  });
});
