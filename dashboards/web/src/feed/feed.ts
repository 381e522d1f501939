import { retryDelay } from "./backoff";
import type { Message } from "./envelope";

/**
 * How the page hears from the agent.
 * - `connecting`: nothing heard yet, nothing failed yet
 * - `live`: the socket delivers
 * - `polling`: the socket is away, the REST twin answers
 * - `offline`: neither answers; both are tried again and again
 * - `paused`: the page is hidden and asks for nothing
 */
export type Connection = "connecting" | "live" | "polling" | "offline" | "paused";

/** How a reading came: `push` was sampled just now, `first` opens a socket and `poll` answers a request, so they may be older. */
export type Arrival = "push" | "first" | "poll";

/** What the feed needs from the browser; tests bring their own. */
export interface Outside {
  random(): number;
  setTimer(milliseconds: number, run: () => void): number;
  clearTimer(timer: number): void;
  openSocket(heard: { message(text: string): void; closed(): void }): { close(): void };
  poll(done: (answer: PollAnswer) => void): { cancel(): void };
}

export type PollAnswer = { ok: true; text: string } | { ok: false; problem: string };

export interface Listener<T> {
  reading(message: T, arrival: Arrival): void;
  connection(connection: Connection, problem: string | null): void;
}

/** While the socket is away, the twin is asked this often. */
export const POLL_EVERY = 10_000;
/** A socket that has not delivered anything for so long does not stop polling from starting. */
const PATIENCE = 3_000;
/** A socket that has said nothing for so long, or for three intervals if that is longer, is taken for dead. */
export const SILENCE = 15_000;
/** A socket that lived so long was a good one: the next pause starts small again. */
const STABLE_AFTER = 10_000;
/** A hidden page lets go of its socket after so long. */
export const HIDDEN_FOR = 60_000;

/**
 * Keeps the newest reading of one feed: by socket when it can, by polling when it cannot, and never gives up.
 *
 * Only one of the two speaks at a time: the first message of a socket cancels polling, so readings arrive in the order
 * in which the agent made them. Within one socket `seq` must grow; across connections it may start again, because the
 * agent may have.
 */
export class Feed<T extends Message> {
  #outside: Outside;
  #parse: (text: string) => T | null;
  #listener: Listener<T>;
  #connection: Connection = "connecting";
  #problem: string | null = null;
  #socket: { close(): void } | null = null;
  #delivered = false;
  #lastSeq = Number.NEGATIVE_INFINITY;
  #lastKey = "";
  #failures = 0;
  #poll: { cancel(): void } | null = null;
  #pollTimer: number | null = null;
  #retryTimer: number | null = null;
  #silenceTimer: number | null = null;
  #stableTimer: number | null = null;
  #hiddenTimer: number | null = null;

  constructor(outside: Outside, parse: (text: string) => T | null, listener: Listener<T>) {
    this.#outside = outside;
    this.#parse = parse;
    this.#listener = listener;
  }

  get connection(): Connection {
    return this.#connection;
  }

  start(): void {
    this.#become("connecting", null);
    this.#connect();
    this.#pollIn(PATIENCE);
  }

  /** The network is back or the page is looked at again: do not wait for the pause to end. */
  wake(): void {
    if (this.#connection === "paused" || this.#delivered) return;
    this.#failures = 0;
    if (!this.#socket) this.#connect();
    this.#pollIn(0);
  }

  /** The page is no longer seen. */
  hide(): void {
    this.#hiddenTimer ??= this.#outside.setTimer(HIDDEN_FOR, () => this.#pause());
  }

  /** The page is seen again. */
  show(): void {
    this.#hiddenTimer = this.#clear(this.#hiddenTimer);
    if (this.#connection === "paused") {
      this.#failures = 0;
      this.start();
    } else {
      this.wake();
    }
  }

  /** Nobody needs it any more: it asks for nothing until it is started again. */
  stop(): void {
    this.#pause();
  }

  #pause(): void {
    this.#hiddenTimer = this.#clear(this.#hiddenTimer);
    this.#retryTimer = this.#clear(this.#retryTimer);
    this.#closeSocket();
    this.#stopPolling();
    this.#become("paused", null);
  }

  #connect(): void {
    this.#retryTimer = this.#clear(this.#retryTimer);
    this.#lastSeq = Number.NEGATIVE_INFINITY;
    let current = true;
    const handle = this.#outside.openSocket({
      message: (text) => current && this.#heard(text),
      closed: () => current && this.#dropped(),
    });
    this.#socket = {
      close: () => {
        current = false;
        handle.close();
      },
    };
    this.#expectWithin(SILENCE);
  }

  #heard(text: string): void {
    const update = this.#parse(text);
    if (!update) return;
    this.#expectWithin(Math.max(SILENCE, 3 * update.interval_seconds * 1000));
    const arrival: Arrival = this.#delivered ? "push" : "first";
    if (!this.#delivered) {
      this.#delivered = true;
      this.#stopPolling();
      this.#stableTimer = this.#outside.setTimer(STABLE_AFTER, () => {
        this.#stableTimer = null;
        this.#failures = 0;
      });
    }
    const newer = update.seq > this.#lastSeq;
    this.#lastSeq = Math.max(this.#lastSeq, update.seq);
    if (newer) this.#take(update, arrival);
    this.#become("live", null);
  }

  #dropped(): void {
    const wasLive = this.#delivered;
    this.#closeSocket();
    this.#retryTimer = this.#outside.setTimer(retryDelay(this.#failures, this.#outside.random()), () => {
      this.#connect();
    });
    this.#failures += 1;
    if (wasLive) {
      this.#become("connecting", null);
      this.#pollIn(0);
    } else if (this.#connection === "connecting") {
      this.#pollIn(0);
    }
  }

  #closeSocket(): void {
    this.#silenceTimer = this.#clear(this.#silenceTimer);
    this.#stableTimer = this.#clear(this.#stableTimer);
    this.#delivered = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #expectWithin(milliseconds: number): void {
    this.#clear(this.#silenceTimer);
    this.#silenceTimer = this.#outside.setTimer(milliseconds, () => this.#dropped());
  }

  #pollIn(milliseconds: number): void {
    if (this.#poll) return;
    this.#clear(this.#pollTimer);
    this.#pollTimer = this.#outside.setTimer(milliseconds, () => this.#pollNow());
  }

  #pollNow(): void {
    this.#pollTimer = null;
    let current = true;
    const handle = this.#outside.poll((answer) => {
      if (!current) return;
      this.#poll = null;
      this.#answered(answer);
    });
    this.#poll = {
      cancel: () => {
        current = false;
        handle.cancel();
      },
    };
  }

  #answered(answer: PollAnswer): void {
    this.#pollIn(POLL_EVERY);
    const update = answer.ok ? this.#parse(answer.text) : null;
    if (!update) {
      this.#become("offline", answer.ok ? "The answer is not a reading of this agent." : answer.problem);
      return;
    }
    this.#take(update, "poll");
    const back = this.#connection === "offline";
    this.#become("polling", null);
    // The agent is reachable again, so the socket may be too: the long pause was meant for one that is not.
    if (back && !this.#socket) this.#connect();
  }

  #stopPolling(): void {
    this.#pollTimer = this.#clear(this.#pollTimer);
    this.#poll?.cancel();
    this.#poll = null;
  }

  #take(update: T, arrival: Arrival): void {
    const key = `${update.seq} ${update.sampled_at}`;
    if (key === this.#lastKey) return;
    this.#lastKey = key;
    this.#listener.reading(update, arrival);
  }

  #become(connection: Connection, problem: string | null): void {
    if (connection === this.#connection && problem === this.#problem) return;
    this.#connection = connection;
    this.#problem = problem;
    this.#listener.connection(connection, problem);
  }

  #clear(timer: number | null): null {
    if (timer !== null) this.#outside.clearTimer(timer);
    return null;
  }
}
