import { effect, signal } from "@preact/signals";
import { ask } from "./feed/browser";
import type { Arrival } from "./feed/feed";
import { parseHistory } from "./feed/history";
import { parseUpdate, type SystemUpdate } from "./feed/message";
import { Columns, rowOf, type SeriesName } from "./history/columns";
import { clock, follow, type Live, now } from "./live";
import { recall, remember } from "./shell/memory";

/** How far back the charts look, in seconds. */
export const WINDOWS = { "5m": 300, "15m": 900, "1h": 3600 } as const;
export type Window = keyof typeof WINDOWS;

const system = follow<SystemUpdate>({ name: "system", parse: parseUpdate }, (reading, arrival) => {
  const sampled = Date.parse(reading.sampled_at);
  if (arrival === "push") clock.observePush(sampled, Date.now());
  else if (arrival === "first") clock.observeUnknown(sampled, Date.now());
  if (arrival !== "push") void fillHistory(arrival, columns.last, sampled);
  columns.push(sampled / 1000, rowOf(reading), reading.interval_seconds);
});
export const { update, connection, age, stale } = system;

export const chosenWindow = signal<Window>(recall("window", Object.keys(WINDOWS) as Window[]) ?? "15m");
/** Changes whenever the charts have something new to draw. */
export const revision = signal(0);
/** The row that the reader points at in any chart, or null. */
export const pointed = signal<number | null>(null);

export const columns = new Columns(WINDOWS[chosenWindow.value]);

/** The right edge of the charts, in seconds: the newest sample, or the machine's time once that sample is old. */
export function rightEdge(): number {
  const time = clock.time(Date.now());
  const last = columns.last ?? (time ?? Date.now()) / 1000;
  return stale.peek() && time !== null ? Math.max(last, time / 1000) : last;
}

/** Whether any of these series has a point in the charts. */
export function drawn(names: SeriesName[]): boolean {
  const first = columns.firstSince(rightEdge());
  return names.some((name) => columns.series[name].findLastIndex((value) => value !== null) >= first);
}

/** Opens the feeds, those of the sources' own panels while one of their sources is on, and keeps the store up to date from then on. */
export function start(panels: { source?: string; feed?: Live<unknown> }[]): void {
  system.open();
  setInterval(() => {
    now.value = Date.now();
    // The time axis moves on although nothing arrives: the line ends where the samples do.
    if (stale.value && !document.hidden) redraw();
  }, 1000);
  effect(() => {
    if (update.value) redraw();
  });
  effect(() => {
    const sources = update.value?.sources;
    if (!sources) return;
    const on = sources.filter(({ state }) => state !== "off" && state !== "starting").map(({ name }) => name);
    const wanted = new Set(panels.flatMap(({ source, feed }) => (source && on.includes(source) && feed ? [feed] : [])));
    for (const { feed } of panels) {
      if (feed && wanted.has(feed)) feed.open();
      else feed?.close();
    }
  });
  effect(() => {
    const seconds = WINDOWS[chosenWindow.value];
    remember("window", chosenWindow.value);
    if (seconds === columns.window) return;
    columns.widen(seconds);
    redraw();
    void askHistory(seconds);
  });
}

function redraw(): void {
  revision.value = revision.peek() + 1;
}

/** Asks only for what the page did not see: everything at first, the pause after a reconnect. */
async function fillHistory(arrival: Arrival, last: number | null, sampled: number): Promise<void> {
  const unseen = last === null ? columns.window : sampled / 1000 - last + 5;
  if (arrival === "poll" && unseen < 8) return;
  await askHistory(unseen > 0 ? Math.min(columns.window, Math.ceil(unseen)) : columns.window);
}

async function askHistory(seconds: number): Promise<void> {
  try {
    columns.merge(parseHistory(await ask(`api/system/history?window=${seconds}s`, clock)));
    redraw();
  } catch (error) {
    // The charts go on with what the page sees itself; the state of the connection is told by the feed.
    console.warn("history:", error);
  }
}
