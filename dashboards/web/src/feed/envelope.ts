import type { Missing } from "../contract/types";
import { conformer, tell } from "./conform";

/** What the messages of all feeds have in common. */
export interface Message {
  /** Grows by one each message; starts again when the agent does. */
  seq: number;
  /** When it was read, by the machine's clock; null when nothing was. */
  sampled_at: string | null;
  interval_seconds: number;
}

/**
 * Reads the messages of a feed that has these types: gives the message in a text, or null when the text is something else: an error, a
 * message of another type, a torn one. What of it does not conform to the schema is left out and told. `interval` stands in where a
 * message does not say how often it comes, in seconds.
 */
export function reader<T extends object>(schema: unknown, types: string[], interval = 1) {
  const conform = conformer(schema);
  return (text: string): (T & Message) | null => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return null;
    }
    if (typeof value !== "object" || value === null) return null;
    const message = value as Partial<Message> & { type?: unknown };
    if (typeof message.type !== "string" || !types.includes(message.type)) return null;
    const faults = conform(message);
    if (!faults || !Number.isFinite(message.seq)) return null;
    const sampled = message.sampled_at ?? null;
    if (sampled !== null && Number.isNaN(Date.parse(sampled))) return null;
    tell(message as { type: string }, faults);
    const given = message.interval_seconds ?? Number.NaN;
    return { ...(message as T & Message), sampled_at: sampled, interval_seconds: given > 0 ? given : interval };
  };
}

/** When the sample was taken, in milliseconds of the machine's own clock; null when there is none. */
export function sampledAt(message: Message | null): number | null {
  return message?.sampled_at ? Date.parse(message.sampled_at) : null;
}

/** Why the block at `path` is missing, as the agent says it: its own entry or that of the nearest block around it. */
export function reasonFor(missing: Record<string, Missing> | null | undefined, path: string): Missing | null {
  for (let at = path; missing && at; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const entry = missing[at];
    if (entry) return entry;
  }
  return null;
}

const REASONS: Record<string, string> = {
  no_sensor: "Not on this machine",
  not_configured: "Not configured",
  unreachable: "Unreachable",
  no_table: "The table is missing",
  no_permission: "No permission",
  stale: "No fresh reading",
  unreadable: "Unreadable",
};

/** A reason code as people read it. */
export function reasonTitle(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

/** A reason code and its sentence, as people read them. */
export function describeReason(reason: string | null | undefined, detail: string | null | undefined): string | null {
  if (!reason) return detail || null;
  return detail ? `${reasonTitle(reason)}: ${detail}` : reasonTitle(reason);
}
