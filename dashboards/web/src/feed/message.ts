import schema from "../contract/system.schema.json";
import type { SystemUpdate as Contract } from "../contract/types";
import { conformer } from "./conform";
import { describeReason, type Message, parseMessage, reasonFor } from "./envelope";

/** The messages of `/ws/system` and `/api/system`. */
export type SystemUpdate = Contract & Message & { sampled_at: string };

const READER = { types: ["system_update"], conform: conformer(schema) };

export function parseUpdate(text: string): SystemUpdate | null {
  return parseMessage<SystemUpdate>(text, READER);
}

/** Why the block at `path` (inside `metrics`) is missing, in words. */
export function whyMissing(update: SystemUpdate | null, path: string): string | null {
  const why = reasonFor(update?.missing, path);
  return why && describeReason(why.reason, why.detail);
}
