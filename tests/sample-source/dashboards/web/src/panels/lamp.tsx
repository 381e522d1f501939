import schema from "../contract/lamp.schema.json";
import type { LampUpdate } from "../contract/types";
import { reader } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import { plain, text } from "../format/format";
import { follow } from "../live";
import { Panel } from "../ui/panel";
import { EmptyPanel } from "./empty";

export const lamp = follow({ name: "lamp", parse: reader<LampUpdate>(schema, ["lamp_update"]) });

export function LampPanel({ update }: { update: SystemUpdate }) {
  const message = lamp.update.value;
  const missing = message?.missing["watts"] ?? null;
  if (!message || missing) return <EmptyPanel id="lamp" title="Lamp" update={update} source="lamp" missing={missing} feed={lamp} />;
  return (
    <Panel id="lamp" title="Lamp" feed={lamp}>
      <p>It draws {text(plain(message.watts, 1))} W.</p>
    </Panel>
  );
}
