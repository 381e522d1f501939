import { Feed, type Outside } from "./feed";
import { parseUpdate, type SystemUpdate } from "./message";

/** A machine, its agent, the network between them and the page, and time: all made up, so that a test can drive them. */
export class World {
  now = 0;
  /** How far the agent's clock is ahead of the page's. */
  clockAhead = 0;
  latency = 5;
  agent: "up" | "down" | "silent" = "up";
  socketsBlocked = false;
  /** Which life of the agent this is, and its newest sample. */
  life = 1;
  seq = 0;
  readings: { life: number; seq: number; arrival: string; at: number }[] = [];
  connections: { state: string; problem: string | null; at: number }[] = [];
  attempts: number[] = [];
  polls = 0;
  feed: Feed<SystemUpdate>;
  #sampledAt = 0;
  #timers = new Map<number, { at: number; run: () => void }>();
  #nextTimer = 1;
  #sockets = new Set<{ open: boolean; message(text: string): void; closed(): void }>();
  #random: () => number;

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
    this.#sample();
    this.feed = new Feed(this.#outside(), parseUpdate, {
      reading: (update, arrival) => {
        const { life } = update.metrics as unknown as { life: number };
        this.readings.push({ life, seq: update.seq, arrival, at: this.now });
      },
      connection: (state, problem) => this.connections.push({ state, problem, at: this.now }),
    });
  }

  get openSockets(): number {
    return [...this.#sockets].filter((socket) => socket.open).length;
  }

  get latest() {
    return this.readings.at(-1);
  }

  /** Lets time pass, and everything happen that is due. */
  advance(milliseconds: number, everyStep: () => void = () => {}): void {
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
      everyStep();
    }
    this.now = end;
  }

  kill(): void {
    this.agent = "down";
    this.dropSockets();
  }

  start(): void {
    if (this.agent === "down") {
      this.life += 1;
      this.seq = 1;
      this.#sampledAt = this.now + this.clockAhead;
    }
    this.agent = "up";
  }

  dropSockets(): void {
    for (const socket of this.#sockets) {
      this.#sockets.delete(socket);
      socket.closed();
    }
  }

  message(): string {
    const time = new Date(this.#sampledAt).toISOString();
    const metrics = {
      timestamp: time,
      platform: {},
      cpu: {},
      disk: { path: "/", filesystems: [], devices: [] },
      life: this.life,
    };
    const envelope = { type: "system_update", seq: this.seq, sampled_at: time, timestamp: time, interval_seconds: 1 };
    return JSON.stringify({ ...envelope, metrics, missing: {}, sources: [], alerts: [] });
  }

  #sample(): void {
    if (this.agent === "up") {
      this.seq += 1;
      this.#sampledAt = this.now + this.clockAhead;
      const text = this.message();
      for (const socket of this.#sockets) if (socket.open) this.#later(() => socket.message(text));
    }
    this.#setTimer(1000, () => this.#sample());
  }

  #outside(): Outside {
    return {
      random: this.#random,
      setTimer: (milliseconds, run) => this.#setTimer(milliseconds, run),
      clearTimer: (timer) => this.#timers.delete(timer),
      openSocket: ({ message, closed }) => {
        this.attempts.push(this.now);
        const socket = { open: false, message, closed };
        this.#sockets.add(socket);
        this.#later(() => {
          if (!this.#sockets.has(socket) || this.agent === "silent") return;
          if (this.agent === "down" || this.socketsBlocked) {
            this.#sockets.delete(socket);
            closed();
          } else {
            socket.open = true;
            message(this.message());
          }
        });
        return {
          close: () => {
            socket.open = false;
            this.#sockets.delete(socket);
          },
        };
      },
      poll: (done) => {
        this.polls += 1;
        let wanted = true;
        const answer = (run: () => void) => this.#later(() => wanted && run());
        if (this.agent === "up") {
          const text = this.message();
          answer(() => done({ ok: true, text }));
        } else if (this.agent === "down") {
          answer(() => done({ ok: false, problem: "refused" }));
        } else {
          this.#setTimer(8000, () => wanted && done({ ok: false, problem: "no answer in time" }));
        }
        return {
          cancel: () => {
            wanted = false;
          },
        };
      },
    };
  }

  #later(run: () => void): void {
    this.#setTimer(this.latency, run);
  }

  #setTimer(milliseconds: number, run: () => void): number {
    const timer = this.#nextTimer;
    this.#nextTimer += 1;
    this.#timers.set(timer, { at: this.now + Math.max(0, milliseconds), run });
    return timer;
  }
}
