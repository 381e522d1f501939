import schema from "../contract/database.schema.json";
import type { DatabaseUpdate, ServerMetrics as Server } from "../contract/types";
import {
  replicationLag,
  slowCount,
  type Trouble,
  transactions,
  verdict,
  whyDashes,
  worstQueries,
} from "../derive/database";
import { reader } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import { bytes, count, duration, plain, ratio, text, UNKNOWN } from "../format/format";
import { follow } from "../live";
import { levelOf } from "../ui/bar";
import { type Measure, Measures } from "../ui/measures";
import { Figure, Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";
import { EmptyPanel } from "./empty";

export const database = follow({ name: "database", parse: reader<DatabaseUpdate>(schema, ["database_update"]) });

export function PostgresPanel({ update }: { update: SystemUpdate }) {
  const message = database.update.value;
  const servers = message ? [message.metrics, ...(message.others ?? [])].filter((server) => !!server) : [];
  const [first] = servers;
  if (!first) return <EmptyPanel id="postgres" title="PostgreSQL" update={update} source="postgres" feed={database} />;
  const rate = Number.parseFloat(transactions(first));
  return (
    <Panel
      id="postgres"
      title="PostgreSQL"
      note={about(first)}
      feed={database}
      values={
        <>
          <Figure label="clients" quantity={count(first.connections?.total)} />
          <Figure label="tx/s" quantity={plain(rate, 1)} />
        </>
      }
    >
      {servers.map((server) => (
        <ServerPart key={server.name} server={server} named={servers.length > 1} />
      ))}
    </Panel>
  );
}

function about(server: Server): string {
  const uptime = server.health?.uptime_seconds;
  const parts = [
    server.version,
    server.role,
    Number.isFinite(uptime) ? `up ${duration(uptime)}` : null,
    server.version ? null : server.host,
  ];
  return parts.filter(Boolean).join(" · ");
}

function ServerPart({ server, named }: { server: Server; named: boolean }) {
  const { word, level } = verdict(server);
  const reasons = server.error ? [server.error] : (server.health?.reasons ?? []);
  const troubles = worstQueries(server);
  return (
    <div class="part">
      <div class="verdict">
        {named && <h3 class="part-title">{server.name}</h3>}
        <span class={`tag ${level}`}>{word}</span>
        {reasons.map((reason) => (
          <span key={reason} class="quiet">
            {reason}
          </span>
        ))}
      </div>
      {server.status === "connected" && (
        <>
          <Measures measures={measures(server)} />
          {whyDashes(server).map((sentence) => (
            <p key={sentence} class="facts">
              {sentence}
            </p>
          ))}
        </>
      )}
      {troubles.length > 0 && (
        <Table<Trouble>
          caption="The worst queries"
          rows={troubles}
          rowKey={(trouble) => trouble.kind}
          columns={[
            { title: "Worst", cell: (trouble) => <span class="tag warning">{trouble.kind}</span> },
            {
              title: "Query",
              wide: true,
              cell: (trouble) => (
                <>
                  <Named name={trouble.query ?? "not ours to see"} />
                  <span class="beneath">{trouble.measure}</span>
                </>
              ),
            },
          ]}
        />
      )}
    </div>
  );
}

function measures(server: Server): Measure[] {
  const { connections, activity, health } = server;
  const { active, idle, idle_in_transaction: stuck, total, max, utilization_percent: use } = connections ?? {};
  const hits = activity?.cache_hit_ratio;
  return [
    {
      label: "Connections",
      percent: use ?? null,
      level: levelOf(use, 80, 95),
      text: `${text(count(total))} of ${text(count(max))}`,
    },
    {
      label: "Active, idle",
      text: [text(count(active)), text(count(idle)), ...(stuck ? [`${text(count(stuck))} in a transaction`] : [])].join(
        ", ",
      ),
    },
    { label: "Cache hits", percent: Number.isFinite(hits) ? (hits as number) * 100 : null, text: text(ratio(hits)) },
    { label: "Transactions", text: transactions(server) === UNKNOWN ? UNKNOWN : `${transactions(server)} a second` },
    { label: "Rolled back", text: text(ratio(activity?.rollback_ratio)) },
    { label: named(server), text: text(bytes(server.database_size?.bytes)) },
    {
      label: "Slow, long, blocked",
      text: [
        text(count(slowCount(server))),
        text(count(health?.long_running_queries)),
        text(count(health?.blocked_queries)),
      ].join(", "),
    },
    { label: "Replication", text: replicationLag(server) },
  ];
}

function named({ database: name }: Server): string {
  return name ? `Size of ${name}` : "Size";
}
