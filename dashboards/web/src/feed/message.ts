import schema from "../contract/system.schema.json";
import type { SystemUpdate as Contract } from "../contract/types";
import { describeReason, type Message, reader, reasonFor } from "./envelope";

/** The messages of `/ws/system` and `/api/system`. */
export type SystemUpdate = Contract & Message & { sampled_at: string };

export const parseUpdate = reader<SystemUpdate>(schema, ["system_update"]);

/** Why the block at `path` (inside `metrics`) is missing, in words. */
export function whyMissing(update: SystemUpdate | null, path: string): string | null {
  const why = reasonFor(update?.missing, path);
  return why && describeReason(why.reason, why.detail);
}
