import { byTrust, pendingCount, type Scale, waiting } from "../derive/governance";
import type { SystemUpdate } from "../feed/message";
import { count, duration, plain, text, UNKNOWN } from "../format/format";
import { now } from "../live";
import { Measures } from "../ui/measures";
import { Figure, Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";
import { EmptyPanel } from "./empty";
import { governance } from "./governance";

export function RolesPanel({ update }: { update: SystemUpdate }) {
  const message = governance.update.value;
  const view = message?.roles;
  if (!view) {
    const missing = message?.missing?.["roles"] ?? null;
    return <EmptyPanel id="roles" title="Roles" update={update} source="roles" missing={missing} feed={governance} />;
  }
  const installations = view.installations ?? [];
  const roles = view.roles ?? [];
  const drafts = waiting(view);
  const findings = installations.flatMap(({ findings }) => findings ?? []);
  return (
    <Panel
      id="roles"
      title="Roles"
      note={installations.map(({ name }) => name).join(", ")}
      feed={governance}
      values={
        <>
          <Figure label="roles" quantity={count(roles.length)} />
          <Figure label="drafts" quantity={count(pendingCount(view))} />
        </>
      }
    >
      {roles.length === 0 && <p class="empty">The registry has no roles.</p>}
      {byTrust(roles).map((scale) => (
        <Trust key={scale.title} scale={scale} of={roles.length} />
      ))}
      {drafts.length > 0 && (
        <Table
          caption="Drafts that wait for a decision"
          rows={drafts}
          rowKey={(draft) => `${draft.installation} ${draft.id}`}
          shown={3}
          columns={[
            {
              title: "Draft waiting",
              wide: true,
              cell: (draft) => <Named name={draft.role ?? draft.id} title={draft.reason ?? draft.id} />,
            },
            { title: "By", minor: true, cell: (draft) => draft.shape ?? UNKNOWN },
            { title: "Risk", numeric: true, cell: (draft) => text(plain(draft.risk)) },
            { title: "For", numeric: true, cell: (draft) => waitingFor(draft.created) },
          ]}
        />
      )}
      {findings.length > 0 && (
        <Table
          caption="Findings"
          rows={findings.map((finding, index) => ({ ...finding, key: String(index) }))}
          rowKey={(finding) => finding.key}
          shown={3}
          columns={[
            {
              title: `Findings (${findings.length})`,
              wide: true,
              cell: ({ subject, detail }) => (
                <>
                  <Named name={subject} />
                  <span class="beneath">{detail}</span>
                </>
              ),
            },
            { title: "Kind", cell: ({ kind }) => <span class="tag warning">{kind.replaceAll("_", " ")}</span> },
          ]}
        />
      )}
    </Panel>
  );
}

function waitingFor(created: number | null | undefined): string {
  return Number.isFinite(created) ? duration(Math.max(0, now.value / 1000 - (created as number))) : UNKNOWN;
}

/** How many roles stand on each level of a scale. */
function Trust({ scale, of }: { scale: Scale; of: number }) {
  return (
    <div class="part">
      <h3>Roles by {scale.title}</h3>
      <Measures
        measures={scale.levels.map(({ level, word, count: number }) => ({
          label: [level === null ? "not known" : String(level), word].filter(Boolean).join(" "),
          percent: (number / of) * 100,
          text: text(count(number)),
        }))}
      />
    </div>
  );
}
