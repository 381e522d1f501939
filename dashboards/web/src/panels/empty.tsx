import type { Missing, SourceState as SourceHealth } from "../contract/types";
import { reasonTitle } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import type { Live } from "../live";
import { Panel } from "../ui/panel";

/** What there is to do about a reason, where the source does not have its own answer. */
const BY_REASON: Record<string, string> = {
  no_permission: "Give the agent's user this right; it is tried again by itself.",
  unreachable: "Start it or correct its address; it is tried again by itself.",
  unreadable: "Compare its version with those that are supported, and report it with this sentence.",
  stale: "Look for what hangs; it goes on by itself.",
  no_table: "Create what is missing; it is tried again by itself.",
};

const BY_SOURCE: Record<string, string> = {
  gpu: "With a GPU in the machine, install its driver; for NVIDIA that includes libnvidia-ml.",
  ollama: "Start Ollama on this machine, or name its servers under sources.ollama.hosts.",
  postgres: "Name a server under sources.postgres.servers, or set DATABASE_URL.",
  audit: "Name the root folder of an installation under sources.audit.roots, or any log under sources.audit.files.",
  roles: "Name the root folder of an installation under sources.roles.roots.",
};

/** What helps when this source has nothing for this reason. */
export function whatHelps(source: string, reason: string): string | null {
  const own = reason === "no_sensor" || reason === "not_configured";
  return (own ? BY_SOURCE[source] : BY_REASON[reason]) ?? null;
}

export function healthOf(update: SystemUpdate, source: string): SourceHealth | null {
  return update.sources?.find(({ name }) => name === source) ?? null;
}

/** Whether a source has, or soon has, something to show. */
export function isOn(update: SystemUpdate, source: string): boolean {
  const state = healthOf(update, source)?.state;
  return state !== undefined && state !== "off" && state !== "starting";
}

/** Stands where a source has nothing: why, and what to do. */
export function EmptyPanel(props: {
  id: string;
  title: string;
  update: SystemUpdate;
  source: string;
  /** What the source's own feed says, if it speaks. */
  missing?: Missing | null;
  feed?: Live<unknown>;
}) {
  return (
    <Panel id={props.id} title={props.title}>
      <Why {...props} />
    </Panel>
  );
}

function Why({ update, source, missing, feed }: Parameters<typeof EmptyPanel>[0]) {
  const health = healthOf(update, source);
  const reason = missing?.reason ?? health?.reason;
  if (reason) {
    const detail = missing?.detail ?? health?.detail;
    const help = whatHelps(source, reason);
    return (
      <div class="empty">
        <p>
          <b>{reasonTitle(reason)}</b>
        </p>
        {detail && <p class="detail">{detail}</p>}
        {help && <p>{help}</p>}
      </div>
    );
  }
  const { state, problem } = feed?.connection.value ?? { state: "connecting", problem: null };
  return (
    <div class="empty">
      <p>{state === "offline" ? `${problem ?? "The agent does not answer."} Trying again.` : "Not read yet."}</p>
    </div>
  );
}
