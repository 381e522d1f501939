import type { Gpu, SystemHistory } from "../contract/types";
import type { SystemUpdate } from "../feed/message";

/** The series that the page draws: those that the agent remembers, under its names, and two that the page makes itself. */
export const SERIES = [
  "cpu_percent",
  "memory_percent",
  "swap_percent",
  "load1",
  "disk_read_bytes_per_second",
  "disk_write_bytes_per_second",
  "network_receive_bytes_per_second",
  "network_transmit_bytes_per_second",
  "temperature_celsius",
  "pressure_cpu_percent",
  "pressure_memory_percent",
  "pressure_io_percent",
  "gpu_percent",
  "gpu_memory_percent",
] as const satisfies (keyof SystemHistory["series"] | "gpu_percent" | "gpu_memory_percent")[];
export type SeriesName = (typeof SERIES)[number];
export type Row = Record<SeriesName, number | null>;

/** What the charts take of the agent's history. */
export interface History extends Pick<SystemHistory, "step_seconds" | "times"> {
  series: Partial<Record<SeriesName, (number | null)[]>>;
}

/** No chart is wider than this in points: denser samples are left out. */
export const MOST_POINTS = 3600;
/** Points older than the window that are kept, so that a line reaches the left edge and trimming is rare. */
const SLACK = 512;

/**
 * The points of the charts: one column of times and one for each series, oldest first.
 *
 * Times always grow. A pause in the samples is kept as a row of nulls, which a chart shows as a gap; an unknown value is null.
 */
export class Columns {
  times: number[] = [];
  series: Record<SeriesName, (number | null)[]>;
  /** How often the past has changed: by history that came in, or by another window. */
  merges = 0;
  #window: number;
  #step = 1;

  constructor(windowSeconds: number) {
    this.#window = windowSeconds;
    this.series = emptySeries();
  }

  get window(): number {
    return this.#window;
  }

  get length(): number {
    return this.times.length;
  }

  get last(): number | null {
    return this.times.at(-1) ?? null;
  }

  /** The first row inside the window that ends at `end`. */
  firstSince(end: number): number {
    return lowerBound(this.times, end - this.#window);
  }

  /** Adds a live sample; `step` is the interval in seconds at which samples come. */
  push(time: number, row: Row, step: number): void {
    this.#step = step;
    // A machine whose clock was set back makes the old points a future that never was.
    if (this.last !== null && time <= this.last - 2 * this.#pitch) this.#truncate(lowerBound(this.times, time));
    this.#append(time, (name) => row[name]);
    this.#trim();
  }

  /**
   * Takes in what the agent remembers. Its points win where both know the time; the page's own stay before and after it,
   * and so do those of series that the agent does not remember.
   */
  merge(history: History): void {
    this.merges += 1;
    const old = { times: this.times, series: this.series };
    this.times = [];
    this.series = emptySeries();
    if (history.step_seconds > 0) this.#step = history.step_seconds;
    const from = history.times[0] ?? Number.POSITIVE_INFINITY;
    const to = history.times.at(-1) ?? Number.NEGATIVE_INFINITY;
    this.#take(old, (time) => time < from - this.#pitch / 2, false);
    this.#take({ times: history.times, series: this.#completed(history, old) }, () => true, true);
    this.#take(old, (time) => time > to + this.#pitch / 2, false);
    this.#trim();
  }

  /** Changes how far back the charts look. */
  widen(windowSeconds: number): void {
    this.merges += 1;
    this.#window = windowSeconds;
    this.#trim();
  }

  /** The history's series, and for those that it lacks the page's own values at its times. */
  #completed(history: History, own: Pick<Columns, "times" | "series">): History["series"] {
    const lacking = SERIES.filter((name) => !history.series[name]);
    const rows = history.times.map((time) => {
      const at = lowerBound(own.times, time - this.#pitch / 2);
      return Math.abs((own.times[at] ?? Number.POSITIVE_INFINITY) - time) <= this.#pitch / 2 ? at : -1;
    });
    const columns = lacking.map((name) => [name, rows.map((row) => own.series[name][row] ?? null)]);
    return { ...history.series, ...Object.fromEntries(columns) };
  }

  /** Seconds between two points as they are kept. */
  get #pitch(): number {
    return Math.max(this.#step, this.#window / MOST_POINTS);
  }

  /** Appends the wanted rows. Gaps inside the page's own rows are marked already, at the step that held then. */
  #take(from: Pick<History, "times" | "series">, wanted: (time: number) => boolean, gapsInside: boolean): void {
    let first = true;
    from.times.forEach((time, index) => {
      if (!wanted(time)) return;
      this.#append(time, (name) => from.series[name]?.[index] ?? null, gapsInside || first);
      first = false;
    });
  }

  #append(time: number, value: (name: SeriesName) => number | null, marksGap = true): void {
    const last = this.last;
    if (last !== null && time - last < 0.5 * this.#pitch) return;
    const pause = last !== null && time - last > 2.5 * this.#pitch;
    if (marksGap && pause && !this.#endsInGap) this.#write(last + this.#pitch, () => null);
    this.#write(time, value);
  }

  get #endsInGap(): boolean {
    return SERIES.every((name) => this.series[name].at(-1) === null);
  }

  #write(time: number, value: (name: SeriesName) => number | null): void {
    this.times.push(time);
    for (const name of SERIES) this.series[name].push(value(name));
  }

  #trim(): void {
    if (this.last === null) return;
    const old = this.firstSince(this.last) - 2;
    if (old >= SLACK || this.length > 2 * MOST_POINTS + SLACK) this.#drop(Math.max(old, this.length - 2 * MOST_POINTS));
  }

  #drop(count: number): void {
    if (count <= 0) return;
    this.times.splice(0, count);
    for (const name of SERIES) this.series[name].splice(0, count);
  }

  #truncate(length: number): void {
    this.times.length = length;
    for (const name of SERIES) this.series[name].length = length;
  }
}

/** The chart's row of an update, made as the agent makes those of its history. */
export function rowOf(update: SystemUpdate): Row {
  const { cpu, memory, disk, network, temperature, pressure, gpu } = update.metrics;
  return {
    cpu_percent: number(cpu?.usage_percent),
    memory_percent: number(memory?.percent),
    swap_percent: number(memory?.swap?.percent),
    load1: number(cpu?.load_average?.[0]),
    disk_read_bytes_per_second: mebibytes(disk?.io?.read_speed_mb),
    disk_write_bytes_per_second: mebibytes(disk?.io?.write_speed_mb),
    network_receive_bytes_per_second: mebibytes(network?.speed?.download_mb),
    network_transmit_bytes_per_second: mebibytes(network?.speed?.upload_mb),
    temperature_celsius: hottest(temperature),
    pressure_cpu_percent: number(pressure?.cpu?.some?.avg10),
    pressure_memory_percent: number(pressure?.memory?.some?.avg10),
    pressure_io_percent: number(pressure?.io?.some?.avg10),
    gpu_percent: gpuLoad(gpu),
    gpu_memory_percent: gpuMemory(gpu),
  };
}

/** The mean of the cards that tell. */
function gpuLoad(gpus: Gpu[] | null | undefined): number | null {
  const known = (gpus ?? []).map((gpu) => number(gpu.load_percent)).filter((load) => load !== null);
  return known.length > 0 ? known.reduce((sum, load) => sum + load, 0) / known.length : null;
}

/** Used of all, over the cards that tell both. */
function gpuMemory(gpus: Gpu[] | null | undefined): number | null {
  let used = 0;
  let total = 0;
  for (const { memory_used_mb, memory_total_mb } of gpus ?? []) {
    if (number(memory_used_mb) === null || number(memory_total_mb) === null) continue;
    used += memory_used_mb as number;
    total += memory_total_mb as number;
  }
  return total > 0 ? (used / total) * 100 : null;
}

function hottest(temperature: SystemUpdate["metrics"]["temperature"]): number | null {
  const readings = Object.values(temperature ?? {})
    .flat()
    .map((sensor) => number(sensor.current))
    .filter((reading) => reading !== null);
  return readings.length > 0 ? Math.max(...readings) : null;
}

function number(value: number | null | undefined): number | null {
  return Number.isFinite(value) ? (value as number) : null;
}

function mebibytes(value: number | null | undefined): number | null {
  const known = number(value);
  return known === null ? null : known * 1024 * 1024;
}

function emptySeries(): Record<SeriesName, (number | null)[]> {
  return Object.fromEntries(SERIES.map((name) => [name, []])) as unknown as Record<SeriesName, (number | null)[]>;
}

/** The first index whose time is at least `time`. */
function lowerBound(times: number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
