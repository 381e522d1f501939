import { batch, computed, effect, signal } from "@preact/signals";
import { ask, openFeed } from "./feed/browser";
import { MachineClock } from "./feed/clock";
import { type Arrival, type Connection, POLL_EVERY } from "./feed/feed";
import { type SystemUpdate, sampledAt } from "./feed/message";
import { Columns, type History, rowOf, type SeriesName } from "./history/columns";
import { recall, remember } from "./shell/memory";

/** How far back the charts look, in seconds. */
export const WINDOWS = { "5m": 300, "15m": 900, "1h": 3600 } as const;
export type Window = keyof typeof WINDOWS;

/** A sample older than so many intervals is shown as old. */
const STALE_AFTER = 3;

export const update = signal<SystemUpdate | null>(null);
export const connection = signal<{ state: Connection; problem: string | null }>({ state: "connecting", problem: null });
export const chosenWindow = signal<Window>(recall("window", Object.keys(WINDOWS) as Window[]) ?? "15m");
/** Changes whenever the charts have something new to draw. */
export const revision = signal(0);
/** How old the newest sample is, in milliseconds. */
export const age = signal<number | null>(null);
export const stale = computed(() => {
  const late = STALE_AFTER * (update.value?.interval_seconds ?? 1) * 1000;
  // A page that asks every ten seconds cannot expect more.
  const expected = connection.value.state === "polling" ? POLL_EVERY : 0;
  return age.value !== null && age.value > expected + late;
});
/** The row that the reader points at in any chart, or null. */
export const pointed = signal<number | null>(null);

export const columns = new Columns(WINDOWS[chosenWindow.value]);

const clock = new MachineClock();
let arrived: SystemUpdate | null = null;
let frame = 0;

/** The right edge of the charts, in seconds: the newest sample, or the machine's time once that sample is old. */
export function rightEdge(): number {
  const now = clock.time(Date.now());
  const last = columns.last ?? (now ?? Date.now()) / 1000;
  return stale.peek() && now !== null ? Math.max(last, now / 1000) : last;
}

/** Whether any of these series has a point in the charts. */
export function drawn(names: SeriesName[]): boolean {
  const first = columns.firstSince(rightEdge());
  return names.some((name) => columns.series[name].findLastIndex((value) => value !== null) >= first);
}

/** Opens the feed and keeps the store up to date from then on. */
export function start(): void {
  openFeed(clock, {
    reading(reading, arrival) {
      const sampled = sampledAt(reading);
      if (arrival === "push") clock.observePush(sampled, Date.now());
      else if (arrival === "first") clock.observeUnknown(sampled, Date.now());
      if (arrival !== "push") void fillHistory(arrival, columns.last, sampled);
      columns.push(sampled / 1000, rowOf(reading), reading.interval_seconds);
      arrived = reading;
      paint();
    },
    connection(state, problem) {
      connection.value = { state, problem };
      tick();
    },
  });
  setInterval(tick, 1000);
  effect(() => {
    const seconds = WINDOWS[chosenWindow.value];
    remember("window", chosenWindow.value);
    if (seconds === columns.window) return;
    columns.widen(seconds);
    revision.value = revision.peek() + 1;
    void askHistory(seconds);
  });
}

/** Shows what has arrived, once a frame however fast it arrives. */
function paint(): void {
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    batch(() => {
      update.value = arrived;
      revision.value += 1;
      tick();
    });
  });
}

function tick(): void {
  const newest = arrived;
  batch(() => {
    age.value = newest ? clock.age(sampledAt(newest), Date.now()) : null;
    // The time axis moves on although nothing arrives: the line ends where the samples do.
    if (stale.value && !document.hidden) revision.value += 1;
  });
}

/** Asks only for what the page did not see: everything at first, the pause after a reconnect. */
async function fillHistory(arrival: Arrival, last: number | null, sampled: number): Promise<void> {
  const unseen = last === null ? columns.window : sampled / 1000 - last + 5;
  if (arrival === "poll" && unseen < 8) return;
  await askHistory(unseen > 0 ? Math.min(columns.window, Math.ceil(unseen)) : columns.window);
}

async function askHistory(seconds: number): Promise<void> {
  try {
    columns.merge(JSON.parse(await ask(`api/system/history?window=${seconds}s`, clock)) as History);
    tick();
    paint();
  } catch (error) {
    // The charts go on with what the page sees itself; the state of the connection is told by the feed.
    console.warn("history:", error);
  }
}
