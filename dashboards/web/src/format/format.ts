/** A number as people read it, and its unit apart, so that they can be set apart. */
export interface Quantity {
  value: string;
  unit: string;
}

/** Stands for what is not known. */
export const UNKNOWN = "–";
/** Between a number and its unit: narrow, and no line breaks there. */
const SPACE = "\u202f";

type Known = number | null | undefined;

export function text(quantity: Quantity): string {
  return quantity.unit && quantity.value !== UNKNOWN ? quantity.value + SPACE + quantity.unit : quantity.value;
}

export function percent(value: Known): Quantity {
  return quantity(value, "%", (known) => known.toFixed(Math.abs(known) < 99.95 ? 1 : 0));
}

export function celsius(value: Known): Quantity {
  return quantity(value, "°C", (known) => known.toFixed(Math.abs(known) < 99.95 ? 1 : 0));
}

export function plain(value: Known, digits = 2): Quantity {
  return quantity(value, "", (known) => known.toFixed(digits));
}

export function count(value: Known): Quantity {
  return quantity(value, "", (known) => Math.round(known).toLocaleString("en").replaceAll(",", SPACE));
}

export function bytes(value: Known): Quantity {
  return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
}

export function bytesPerSecond(value: Known): Quantity {
  return scaled(value, 1024, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s", "PiB/s", "EiB/s"]);
}

/** A link's speed, given in bytes a second and known to people in bits. */
export function linkSpeed(value: Known): Quantity {
  return scaled(known(value) ? value * 8 : value, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
}

export function watts(value: Known): Quantity {
  return quantity(value, "W", (known) => known.toFixed(Math.abs(known) < 9.95 ? 1 : 0));
}

/** A share of 1, in percent. */
export function ratio(value: Known): Quantity {
  return percent(known(value) ? value * 100 : value);
}

export function megahertz(value: Known): Quantity {
  return known(value) && value >= 1000
    ? quantity(value / 1000, "GHz", (gigahertz) => gigahertz.toFixed(2))
    : quantity(value, "MHz", (megahertz) => megahertz.toFixed(0));
}

/** A span of time in its two largest units: `3 d 4 h`, `12 min 5 s`, `0.4 s`. */
export function duration(seconds: Known): string {
  if (!known(seconds) || seconds < 0) return UNKNOWN;
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0)}${SPACE}ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)}${SPACE}s`;
  const whole = Math.round(seconds);
  const units: [number, string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const largest = units.findIndex(([size]) => whole >= size);
  const parts: string[] = [];
  let rest = whole;
  for (const [size, name] of units.slice(largest, largest + 2)) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number > 0) parts.push(`${number}${SPACE}${name}`);
  }
  return parts.join(" ");
}

/** The time of day on the reader's clock, from milliseconds. */
export function timeOfDay(milliseconds: number, seconds = true): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const two = (number: number) => String(number).padStart(2, "0");
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return seconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/** The time of day, with the day before it unless that is today; from milliseconds, on the reader's clock. */
export function moment(milliseconds: number, now: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  if (date.toDateString() === new Date(now).toDateString()) return timeOfDay(milliseconds);
  const year = date.getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" as const };
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
  return `${day} ${timeOfDay(milliseconds, false)}`;
}

function known(value: Known): value is number {
  return Number.isFinite(value);
}

function quantity(value: Known, unit: string, write: (value: number) => string): Quantity {
  if (!known(value)) return { value: UNKNOWN, unit: "" };
  const written = write(value);
  return { value: /^-[0.]+$/.test(written) ? written.slice(1) : written, unit };
}

/** Three significant digits with the largest unit that leaves at least one before the point. */
function scaled(value: Known, base: number, units: readonly string[]): Quantity {
  if (!known(value)) return { value: UNKNOWN, unit: "" };
  let step = 0;
  let rest = Math.abs(value);
  // Rounding may carry a number over the limit, so the limit is half a digit below the base.
  while (rest >= base - 0.5 && step < units.length - 1) {
    rest /= base;
    step += 1;
  }
  const digits = step === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return quantity(value < 0 ? -rest : rest, units[step] as string, (number) => number.toFixed(digits));
}
