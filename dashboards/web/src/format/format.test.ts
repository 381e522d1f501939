import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytes,
  bytesPerSecond,
  celsius,
  count,
  duration,
  linkSpeed,
  megahertz,
  moment,
  percent,
  plain,
  ratio,
  text,
  timeOfDay,
  UNKNOWN,
  watts,
} from "./format";

const EVERY = { percent, celsius, plain, count, bytes, bytesPerSecond, linkSpeed, megahertz, ratio, watts };
const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e22, max: 1e22 });

describe("numbers for people", () => {
  it.each([
    [bytes(0), "0 B"],
    [bytes(1023), "1023 B"],
    [bytes(1024), "1.00 KiB"],
    [bytes(1024 * 1024 - 1), "1.00 MiB"],
    [bytes(1.5 * 1024 ** 3), "1.50 GiB"],
    [bytes(63.2 * 1024 ** 3), "63.2 GiB"],
    [bytesPerSecond(123 * 1024), "123 KiB/s"],
    [linkSpeed(125_000_000), "1.00 Gbit/s"],
    [percent(0), "0.0 %"],
    [percent(99.94), "99.9 %"],
    [percent(99.96), "100 %"],
    [percent(-0.01), "0.0 %"],
    [celsius(-4.25), "-4.3 °C"],
    [megahertz(400), "400 MHz"],
    [megahertz(3400), "3.40 GHz"],
    [count(12_345), "12 345"],
  ])("writes %o as %s", (quantity, written) => {
    expect(text(quantity).replaceAll("\u202f", " ")).toBe(written);
  });

  it("shows what is not known as a dash, never as a number", () => {
    for (const write of Object.values(EVERY)) {
      for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(text(write(nothing))).toBe(UNKNOWN);
      }
    }
  });

  it("never writes NaN, an exponent or a negative zero", () => {
    fc.assert(
      fc.property(finite, fc.constantFrom(...Object.values(EVERY)), (value, write) => {
        const { value: written } = write(value);
        expect(written).not.toMatch(/NaN|Infinity|^-[0.]+$/);
        if (Math.abs(value) < 1e18) expect(written).not.toContain("e");
      }),
    );
  });

  it("keeps three digits of an amount, in a unit that leaves at most four before the point", () => {
    const sizes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e21, noNaN: true }), (value) => {
        const quantity = bytes(value);
        const back = Number(quantity.value) * 1024 ** sizes.indexOf(quantity.unit);
        expect(Math.abs(back - value)).toBeLessThanOrEqual(Math.max(0.5, value * 0.006));
        expect(Number(quantity.value)).toBeLessThan(1024);
      }),
    );
  });
});

describe("spans of time", () => {
  it.each([
    [0.00071, "0.7 ms"],
    [0.0123, "12 ms"],
    [0.4, "0.4 s"],
    [42, "42 s"],
    [60, "1 min"],
    [125, "2 min 5 s"],
    [3599.6, "1 h"],
    [93_784, "1 d 2 h"],
  ])("writes %d seconds as %s", (seconds, written) => {
    expect(duration(seconds).replaceAll("\u202f", " ")).toBe(written);
  });

  it("is never further off than its smaller unit", () => {
    const sizes: Record<string, number> = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400 };
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e9, noNaN: true }), (seconds) => {
        const parts = [...duration(seconds).matchAll(/([\d.]+)\u202f(\w+)/g)];
        const back = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (sizes[unit as string] ?? NaN), 0);
        const largest = sizes[parts[0]?.[2] as string] as number;
        expect(Math.abs(back - seconds)).toBeLessThan(largest);
        expect(back).toBeGreaterThan(0);
      }),
    );
  });
});

describe("a moment", () => {
  const noon = new Date(2026, 10, 25, 12).getTime();

  it("has its day before it unless that is today", () => {
    expect(moment(new Date(2026, 10, 25, 8, 5, 9).getTime(), noon)).toBe("08:05:09");
    expect(moment(new Date(2026, 10, 24, 8, 5).getTime(), noon)).toBe("24 Nov 08:05");
    expect(moment(new Date(2025, 0, 3, 8, 5).getTime(), noon)).toBe("3 Jan 2025 08:05");
    expect(moment(Number.NaN, noon)).toBe(UNKNOWN);
  });

  it("ends with its time of day, whenever it is", () => {
    const day = 86_400_000;
    fc.assert(
      fc.property(fc.integer({ min: -4_000 * day, max: 4_000 * day }), (ago) => {
        const written = moment(noon - ago, noon);
        expect(written.includes(timeOfDay(noon - ago, false))).toBe(true);
        if (Math.abs(ago) >= day) expect(written).toMatch(/^\d+ \w+ /);
      }),
    );
  });
});
