type Range = (lowest: number | null, highest: number | null) => [number, number];

/** All of a share: 0 to 100. */
export const wholePercent: Range = () => [0, 100];

/** From zero to a round number above the highest value, at least `least`, at most `most`. */
export function fromZero(steps: readonly number[], least: number, most = Number.POSITIVE_INFINITY): Range {
  return (_lowest, highest) => {
    const wanted = Math.min(most, Math.max(least, (highest ?? 0) * 1.03));
    return [0, Math.min(most, steps.find((step) => step >= wanted) ?? wanted)];
  };
}

/** Around the values, with air, in whole tens: for what is never near zero. */
export const around: Range = (lowest, highest) => {
  if (lowest === null || highest === null) return [20, 80];
  return [Math.floor((lowest - 4) / 10) * 10, Math.ceil((highest + 4) / 10) * 10];
};

/** 1, 2, 5 times the powers of ten. */
export const DECIMAL = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** (power - 3)),
).flat();
/** The powers of two, from a byte to a pebibyte. */
export const BINARY = Array.from({ length: 51 }, (_, power) => 2 ** power);
