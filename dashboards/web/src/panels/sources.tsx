import type { SourceState as SourceHealth } from "../contract/types";
import { describeReason } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import { duration, UNKNOWN } from "../format/format";
import { age } from "../store";
import { Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";

/** A subject that this machine does not give, and why. */
export interface Absence {
  title: string;
  reason: string | null;
}

export function SourcesPanel({ update, absent }: { update: SystemUpdate; absent: Absence[] }) {
  const sources = update.sources ?? [];
  return (
    <Panel id="sources" title="Sources" note="where these readings come from">
      <Table
        caption="Sources of readings and their health"
        rows={sources}
        rowKey={(source) => source.name}
        shown={12}
        columns={[
          { title: "Source", wide: true, cell: (source) => <Source source={source} /> },
          { title: "Age", numeric: true, cell: (source) => <Age source={source} /> },
          { title: "Every", numeric: true, cell: (source) => duration(source.interval_seconds) },
          { title: "Took", numeric: true, minor: true, cell: (source) => duration(source.duration_seconds) },
        ]}
      />
      {absent.length > 0 && (
        <div class="absent">
          <h3>Not shown</h3>
          <dl>
            {absent.map(({ title, reason }) => (
              <div key={title}>
                <dt>{title}</dt>
                <dd>{reason ?? "The agent gives no reading and no reason."}</dd>
              </div>
            ))}
          </dl>
        </div>
      )}
    </Panel>
  );
}

function Source({ source }: { source: SourceHealth }) {
  const reason = describeReason(source.reason, source.detail);
  return (
    <>
      <Named name={source.name} before={<span class={`dot ${source.state}`} aria-hidden="true" />}>
        <span class="quiet">{source.state}</span>
      </Named>
      {reason && <span class="reason">{reason}</span>}
    </>
  );
}

/** The age as it was when the agent wrote the message, and the message's own age since then. */
function Age({ source }: { source: SourceHealth }) {
  const then = source.age_seconds;
  if (!Number.isFinite(then)) return <>{UNKNOWN}</>;
  return <>{duration((then as number) + Math.max(0, age.value ?? 0) / 1000)}</>;
}
