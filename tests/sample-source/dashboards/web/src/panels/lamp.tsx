import type { SystemUpdate } from "../feed/message";
import { EmptyPanel } from "./empty";

export function LampPanel({ update }: { update: SystemUpdate }) {
  return <EmptyPanel id="lamp" title="Lamp" update={update} source="lamp" missing={null} />;
}
