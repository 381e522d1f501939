import schema from "../contract/governance.schema.json";
import type { GovernanceUpdate as Contract } from "../contract/types";
import { conformer } from "./conform";
import { type Message, parseMessage } from "./envelope";

/** The messages of `/ws/governance` and `/api/governance`, as far as the page shows them. */
export type GovernanceUpdate = Contract & Message;

const READER = {
  types: ["governance_init", "governance_update"],
  conform: conformer(schema),
  // The agent sends one with each change, and otherwise so often.
  interval: 5,
};

export function parseGovernance(text: string): GovernanceUpdate | null {
  return parseMessage<GovernanceUpdate>(text, READER);
}
