import schema from "../contract/database.schema.json";
import type { DatabaseUpdate as Contract } from "../contract/types";
import { conformer } from "./conform";
import { type Message, parseMessage } from "./envelope";

/** The messages of `/ws/database` and `/api/database`. */
export type DatabaseUpdate = Contract & Message;

const READER = { types: ["database_update"], conform: conformer(schema) };

export function parseDatabase(text: string): DatabaseUpdate | null {
  return parseMessage<DatabaseUpdate>(text, READER);
}
