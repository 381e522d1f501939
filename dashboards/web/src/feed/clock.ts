/**
 * Tells how old a sample is although the machine's clock and the browser's may disagree.
 *
 * A pushed message was sampled just now by the machine's clock, and an HTTP answer carries that clock in its `Date`
 * header: each gives the difference between the two clocks. The last one heard counts, so a clock that is set
 * corrects itself with the next message.
 */
export class MachineClock {
  #ahead: number | null = null;

  /** An answer with this `Date` arrived. The header has whole seconds, so an age may come out up to a second too young. */
  observeDate(date: number, now: number): void {
    this.#ahead = date - now;
  }

  /** A sample arrived the moment it was taken. */
  observePush(sampled: number, now: number): void {
    this.#ahead = sampled - now;
  }

  /** A sample arrived, and nobody knows how old it already was: it counts as new only if nothing better is known. */
  observeUnknown(sampled: number, now: number): void {
    this.#ahead ??= sampled - now;
  }

  /** The machine's time, or null before anything was heard from it. */
  time(now: number): number | null {
    return this.#ahead === null ? null : now + this.#ahead;
  }

  /** How old a sample is, in milliseconds, never negative. */
  age(sampled: number, now: number): number {
    return Math.max(0, now + (this.#ahead ?? 0) - sampled);
  }
}
