import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MachineClock } from "./clock";

describe("the machine's clock", () => {
  it("tells the age of a pushed sample however far the two clocks are apart", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e11, max: 1e11 }), fc.nat(1e7), (ahead, passed) => {
        const clock = new MachineClock();
        const now = 1.7e12;
        clock.observePush(now + ahead, now);
        expect(clock.age(now + ahead, now + passed)).toBe(passed);
      }),
    );
  });

  it("tells the age of an old sample from the answer's Date, to a second", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e11, max: 1e11 }), fc.nat(1e6), (ahead, age) => {
        const clock = new MachineClock();
        const now = 1.7e12 + 321;
        const there = now + ahead;
        clock.observeDate(Math.floor(there / 1000) * 1000, now);
        const told = clock.age(there - age, now);
        expect(told).toBeLessThanOrEqual(age);
        expect(told).toBeGreaterThan(age - 1000);
      }),
    );
  });

  it("takes the first sample of a socket for new only while nothing better is known", () => {
    const clock = new MachineClock();
    clock.observeUnknown(1_000, 50_000);
    expect(clock.age(1_000, 50_000)).toBe(0);
    clock.observeDate(31_000, 50_000);
    clock.observeUnknown(1_000, 50_000);
    expect(clock.age(1_000, 50_000)).toBe(30_000);
  });
});
