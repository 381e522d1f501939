import { describeReason, type SourceHealth, type SystemUpdate } from "../feed/message";
import { duration } from "../format/format";
import { age } from "../store";
import { Panel } from "../ui/panel";
import { Table } from "../ui/table";

export function SourcesPanel({ update }: { update: SystemUpdate }) {
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
    </Panel>
  );
}

function Source({ source }: { source: SourceHealth }) {
  const reason = describeReason(source.reason, source.detail);
  return (
    <>
      <span class={`dot ${source.state}`} aria-hidden="true" />
      {source.name} <span class="quiet">{source.state}</span>
      {reason && <span class="reason">{reason}</span>}
    </>
  );
}

/** The age as it was when the agent wrote the message, and the message's own age since then. */
function Age({ source }: { source: SourceHealth }) {
  const then = source.age_seconds;
  if (!Number.isFinite(then)) return <>–</>;
  return <>{duration((then as number) + Math.max(0, age.value ?? 0) / 1000)}</>;
}
