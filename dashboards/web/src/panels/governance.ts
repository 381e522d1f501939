import schema from "../contract/governance.schema.json";
import type { GovernanceUpdate } from "../contract/types";
import { reader } from "../feed/envelope";
import { follow } from "../live";

/** The feed of two panels. The agent sends a message with each change, and otherwise every five seconds. */
export const governance = follow({
  name: "governance",
  parse: reader<GovernanceUpdate>(schema, ["governance_init", "governance_update"], 5),
});
