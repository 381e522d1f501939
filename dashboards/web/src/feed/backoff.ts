/** The first pause before connecting again, in milliseconds. */
export const FIRST_DELAY = 500;
/** The longest pause. */
export const LONGEST_DELAY = 30_000;
/** So much of a pause is left to chance, so that pages do not all return in the same moment after a restart. */
const JITTER = 0.3;

/** The pause after so many failed attempts in a row; `random` is in [0, 1). */
export function retryDelay(failures: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(failures, 16));
  return longest * (1 - JITTER * random);
}
