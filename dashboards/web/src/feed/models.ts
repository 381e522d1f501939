import schema from "../contract/models.schema.json";
import type { ModelUpdate as Contract } from "../contract/types";
import { conformer } from "./conform";
import { type Message, parseMessage } from "./envelope";

/** The messages of `/ws/models` and `/api/models`. */
export type ModelUpdate = Contract & Message;

const READER = { types: ["model_update"], conform: conformer(schema) };

export function parseModels(text: string): ModelUpdate | null {
  return parseMessage<ModelUpdate>(text, READER);
}
