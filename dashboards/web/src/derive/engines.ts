import type { LoadedModel, ModelUpdate, OllamaEngine } from "../contract/types";
import { count, duration, plain, text, UNKNOWN } from "../format/format";

/** The process that holds a model; null when none is known to. */
export function engineOf({ engines }: ModelUpdate, { host, name }: LoadedModel): OllamaEngine | null {
  const holds = (engine: OllamaEngine) => engine.host === host && !engine.orphaned && engine.models?.includes(name);
  return engines?.find(holds) ?? null;
}

/** How fast a model answers now. */
export function speed(engine: OllamaEngine | null): string {
  if (!engine || engine.slots_busy === null) return UNKNOWN;
  if (engine.slots_busy === 0) return "idle";
  return text(plain(engine.tokens_per_second, 1));
}

/** What an engine does, in words: slots, context, requests that only the connections tell. */
export function activity(engine: OllamaEngine | null): string[] {
  if (!engine) return [];
  const { slots, slots_busy, context_length, context_used, requests, tokens_per_second_minute: minute } = engine;
  const facts: string[] = [];
  if (known(slots_busy) && slots_busy > 0) {
    facts.push(
      known(slots) ? `${slots_busy} of ${slots} ${slots === 1 ? "slot" : "slots"} busy` : `${slots_busy} busy`,
    );
    if (known(context_used) && known(context_length)) {
      facts.push(`${text(count(context_used))} of ${text(count(context_length * slots_busy))} tokens held`);
    }
  } else if (!known(slots_busy) && known(requests) && requests > 0) {
    facts.push(`${requests} ${requests === 1 ? "request" : "requests"}`);
  }
  if (known(minute) && minute > 0) facts.push(`${text(plain(minute, 1))} tokens/s in the last minute`);
  return facts;
}

/** What a thousand tokens of a model take, in words; null until that was measured. */
export function energy({ energy }: ModelUpdate, { host, name }: LoadedModel): string | null {
  const measured = energy?.models?.find((model) => model.host === host && model.model === name);
  const hours = measured?.watt_hours_per_1000_tokens;
  if (!known(hours)) return null;
  const cost = measured?.cost_per_1000_tokens;
  const price = known(cost) ? `, ${significant(cost)} ${energy?.currency ?? ""}`.trimEnd() : "";
  return `${significant(hours)} Wh${price} for 1000 tokens`;
}

/** What an engine has that a person should look at, in words; null when nothing. */
export function problem({ orphaned, state, detail }: OllamaEngine): string | null {
  if (orphaned) return "its Ollama is gone: it holds its memory until somebody ends the process";
  if (state === "hanging" || state === "stopped")
    return detail ?? (state === "hanging" ? "it does not answer" : "it was stopped");
  return null;
}

/** How long an engine has been running, by the clock of the message. */
export function age({ started_at }: OllamaEngine, { timestamp }: ModelUpdate): string {
  return duration((Date.parse(timestamp) - Date.parse(started_at)) / 1000);
}

/** Two digits that say something, however small the number. */
function significant(value: number): string {
  return value === 0 ? "0" : String(Number(value.toPrecision(2)));
}

function known(value: number | null | undefined): value is number {
  return Number.isFinite(value);
}
