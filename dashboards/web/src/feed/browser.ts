import schema from "../contract/error.schema.json";
import type { ErrorResponse } from "../contract/types";
import type { MachineClock } from "./clock";
import { conformer } from "./conform";
import type { Message } from "./envelope";
import { Feed, type Listener, type Outside, type PollAnswer } from "./feed";

/** An answer that takes longer than this is none. */
const REQUEST_TIMEOUT = 8_000;

/** What a feed is called, in `ws/` and in `api/`, and how its messages are read. */
export interface Kind<T> {
  name: string;
  parse: (text: string) => T | null;
}

/** Opens a feed of this page's own agent, driven by the browser's network and visibility events; what it returns closes it. */
export function openFeed<T extends Message>(kind: Kind<T>, clock: MachineClock, listener: Listener<T>): () => void {
  const feed = new Feed(outside(kind.name, clock), kind.parse, listener);
  const closing = new AbortController();
  const { signal } = closing;
  window.addEventListener("online", () => feed.wake(), { signal });
  window.addEventListener("pageshow", (event) => event.persisted && feed.wake(), { signal });
  document.addEventListener("visibilitychange", () => (document.hidden ? feed.hide() : feed.show()), { signal });
  feed.start();
  if (document.hidden) feed.hide();
  return () => {
    closing.abort();
    feed.stop();
  };
}

/** Asks the agent for a path and tells its clock to `clock`. Errors carry the sentence that the agent sent, if it sent one. */
export async function ask(path: string, clock: MachineClock, signal?: AbortSignal): Promise<string> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT);
  const response = await fetch(new URL(path, document.baseURI), {
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  const date = Date.parse(response.headers.get("date") ?? "");
  if (!Number.isNaN(date)) clock.observeDate(date, Date.now());
  const text = await response.text();
  if (!response.ok) throw new Error(problemIn(text) ?? `The agent answered HTTP ${response.status}.`);
  return text;
}

const conform = conformer(schema);

/** What an error says for people; null when it is a proxy's and not the agent's. */
function problemIn(text: string): string | null {
  try {
    const answer = JSON.parse(text) as ErrorResponse;
    return conform(answer) && [answer.error.message, answer.error.hint].filter(Boolean).join(" ");
  } catch {
    return null;
  }
}

function outside(name: string, clock: MachineClock): Outside {
  return {
    random: Math.random,
    setTimer: (milliseconds, run) => window.setTimeout(run, milliseconds),
    clearTimer: (timer) => window.clearTimeout(timer),
    openSocket({ message, closed }) {
      const address = new URL(`ws/${name}`, document.baseURI);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(address);
      socket.onmessage = (event) => typeof event.data === "string" && message(event.data);
      socket.onclose = closed;
      return { close: () => socket.close() };
    },
    poll(done) {
      const abort = new AbortController();
      ask(`api/${name}`, clock, abort.signal).then(
        (text) => done({ ok: true, text }),
        (error: unknown) => done(failure(error)),
      );
      return { cancel: () => abort.abort() };
    },
  };
}

function failure(error: unknown): PollAnswer {
  // fetch throws TypeError for every failure below HTTP, with a text that differs from browser to browser.
  if (error instanceof TypeError) return { ok: false, problem: "The agent does not answer." };
  if (error instanceof DOMException) return { ok: false, problem: "The agent did not answer in time." };
  return { ok: false, problem: error instanceof Error ? error.message : String(error) };
}
