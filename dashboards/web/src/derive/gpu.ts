import type { Gpu } from "../contract/types";
import { UNKNOWN } from "../format/format";

/** What stands between a card and its clocks, in words. */
export function throttling({ throttle }: Gpu): string {
  if (!throttle) return UNKNOWN;
  return throttle.length === 0 ? "none" : throttle.map((reason) => reason.replaceAll("_", " ")).join(", ");
}

/** Degrees below the limit at which heat is worth a colour. */
const CLOSE = 5;

export function heatLevel({ temperature, temperature_slowdown: limit }: Gpu): "warning" | "critical" | null {
  if (!Number.isFinite(temperature) || !Number.isFinite(limit)) return null;
  const left = (limit as number) - (temperature as number);
  return left <= 0 ? "critical" : left <= CLOSE ? "warning" : null;
}

/** A part of a whole in percent, or null when either is not known. */
export function shareOf(part: number | null | undefined, whole: number | null | undefined): number | null {
  return Number.isFinite(part) && Number.isFinite(whole) && (whole as number) > 0
    ? ((part as number) / (whole as number)) * 100
    : null;
}
