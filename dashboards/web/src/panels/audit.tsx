import type { EventView as AuditEvent, SpikeView as Watched } from "../contract/types";
import { auditProblems, placeOf, watchedKinds } from "../derive/governance";
import type { SystemUpdate } from "../feed/message";
import { count, moment, text, UNKNOWN } from "../format/format";
import { now } from "../live";
import { Figure, Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";
import { EmptyPanel } from "./empty";
import { governance } from "./governance";

export function AuditPanel({ update }: { update: SystemUpdate }) {
  const message = governance.update.value;
  const audit = message?.audit;
  if (!audit) {
    const missing = message?.missing?.["audit"] ?? null;
    return (
      <EmptyPanel id="audit" title="Audit log" update={update} source="audit" missing={missing} feed={governance} />
    );
  }
  const logs = audit.logs ?? [];
  const following = logs.filter(({ state }) => state === "following").length;
  const events = (message.audit_logs ?? []).map((event, index) => ({ ...event, key: placeOf(event, index) }));
  const watched = watchedKinds(logs);
  return (
    <Panel
      id="audit"
      title="Audit log"
      wide
      note={`${following} of ${logs.length} logs followed`}
      feed={governance}
      values={
        <>
          <Figure label="events" quantity={count(logs.reduce((sum, log) => sum + (log.events ?? 0), 0))} />
          <Figure label="spikes" quantity={count(audit.spikes?.length)} />
        </>
      }
    >
      {watched.length > 0 && <Rates watched={watched} />}
      {events.length > 0 ? <Events events={events} /> : <p class="empty">No event has been logged yet.</p>}
      {auditProblems(audit).map((problem) => (
        <p key={problem} class="facts warning-text">
          {problem}
        </p>
      ))}
    </Panel>
  );
}

/** How close each watched kind is to a spike. */
function Rates({ watched }: { watched: (Watched & { log: string })[] }) {
  return (
    <ul class="chips" aria-label="Watched kinds, events in the last hour">
      {watched.slice(0, 6).map((kind) => (
        <li
          key={`${kind.log} ${kind.kind}`}
          class={`tag ${kind.spike ? "critical" : ""}`}
          title={`${kind.log}, last 15 minutes: ${text(count(kind.recent))}`}
        >
          {kind.kind} <b>{text(count(kind.count))}</b>/h of {text(count(kind.limit))}
          {kind.spike && " · spike"}
        </li>
      ))}
    </ul>
  );
}

const LEVELS: Record<string, string> = { error: "critical", warning: "warning" };
const OUTCOMES: Record<string, string> = { denied: "warning-text", failed: "critical-text", limited: "warning-text" };

function Events({ events }: { events: (AuditEvent & { key: string })[] }) {
  return (
    <Table
      caption="The newest audit events"
      rows={events}
      rowKey={(event) => event.key}
      shown={8}
      columns={[
        { title: "Time", cell: (event) => moment(Date.parse(event.time ?? ""), now.value) },
        { title: "Level", cell: (event) => <span class={`tag ${LEVELS[event.level] ?? ""}`}>{event.level}</span> },
        { title: "Kind", minor: true, cell: (event) => <span class="cut">{event.kind}</span> },
        { title: "Actor", minor: true, cell: (event) => <span class="cut">{event.actor ?? UNKNOWN}</span> },
        {
          title: "Outcome",
          minor: true,
          cell: ({ outcome }) => (
            <span class={OUTCOMES[outcome ?? ""] ?? ""}>{!outcome || outcome === "none" ? UNKNOWN : outcome}</span>
          ),
        },
        { title: "What happened", wide: true, cell: (event) => <Named name={event.summary || event.kind} /> },
      ]}
    />
  );
}
