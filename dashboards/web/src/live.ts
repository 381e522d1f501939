import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { type Kind, openFeed } from "./feed/browser";
import { MachineClock } from "./feed/clock";
import { type Message, sampledAt } from "./feed/envelope";
import { type Arrival, type Connection, POLL_EVERY } from "./feed/feed";

/** A sample older than so many intervals is shown as old. */
const STALE_AFTER = 3;

/** The machine's clock, as all feeds know it. */
export const clock = new MachineClock();
/** The reader's time; moves on each second. */
export const now = signal(Date.now());

/** What a feed says, as signals. */
export interface Live<T> {
  /** The newest message; null before the first and while the feed is closed. */
  update: ReadonlySignal<T | null>;
  connection: ReadonlySignal<{ state: Connection; problem: string | null }>;
  /** How old the newest sample is, in milliseconds. */
  age: ReadonlySignal<number | null>;
  /** The newest sample is too old to pass for news. */
  stale: ReadonlySignal<boolean>;
  open(): void;
  close(): void;
}

/** Follows a feed from `open` to `close`; `heard` learns of each message at once, the signals once a frame however fast they come. */
export function follow<T extends Message>(
  kind: Kind<T>,
  heard: (message: T, arrival: Arrival) => void = () => {},
): Live<T> {
  const update = signal<T | null>(null);
  const connection = signal<{ state: Connection; problem: string | null }>({ state: "connecting", problem: null });
  const age = computed(() => {
    const sampled = sampledAt(update.value);
    return sampled === null ? null : clock.age(sampled, now.value);
  });
  const stale = computed(() => {
    const late = STALE_AFTER * (update.value?.interval_seconds ?? 1) * 1000;
    // A page that asks every ten seconds cannot expect more.
    const expected = connection.value.state === "polling" ? POLL_EVERY : 0;
    return age.value !== null && age.value > expected + late;
  });
  let arrived: T | null = null;
  let frame = 0;
  let leave: (() => void) | null = null;
  const paint = () => {
    frame = 0;
    batch(() => {
      update.value = arrived;
      now.value = Date.now();
    });
  };
  return {
    update,
    connection,
    age,
    stale,
    open() {
      leave ??= openFeed(kind, clock, {
        reading(message, arrival) {
          heard(message, arrival);
          arrived = message;
          if (frame === 0) frame = requestAnimationFrame(paint);
        },
        connection(state, problem) {
          connection.value = { state, problem };
          now.value = Date.now();
        },
      });
    },
    close() {
      leave?.();
      leave = null;
      arrived = null;
      update.value = null;
    },
  };
}
