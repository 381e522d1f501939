import type { Filesystem } from "../contract/types";
import type { SystemUpdate } from "../feed/message";
import { bytes, percent, text } from "../format/format";
import { Bar, levelOf } from "../ui/bar";
import { Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";

export function FilesystemsPanel({ update }: { update: SystemUpdate }) {
  const filesystems = update.metrics.disk?.filesystems ?? [];
  // One path may be mounted over more than once.
  const rows = filesystems.map((filesystem, index) => ({ ...filesystem, key: `${filesystem.mountpoint} ${index}` }));
  return (
    <Panel id="filesystems" title="Filesystems" note={`${rows.length} mounted`}>
      <Table
        caption="Filesystems"
        rows={rows}
        rowKey={(filesystem) => filesystem.key}
        shown={10}
        columns={[
          { title: "Mounted on", wide: true, cell: (filesystem) => <Mount filesystem={filesystem} /> },
          { title: "Free", numeric: true, cell: (filesystem) => text(bytes(filesystem.available)) },
          { title: "Size", numeric: true, minor: true, cell: (filesystem) => text(bytes(filesystem.size)) },
          {
            title: "Used",
            numeric: true,
            cell: (filesystem) => (
              <Bar percent={filesystem.percent} level={filesystem.readonly ? null : levelOf(filesystem.percent)}>
                {text(percent(filesystem.percent))}
              </Bar>
            ),
          },
        ]}
      />
    </Panel>
  );
}

function Mount({ filesystem }: { filesystem: Filesystem }) {
  const files = fileShare(filesystem);
  return (
    <Named name={filesystem.mountpoint} title={`${filesystem.mountpoint} on ${filesystem.device}`}>
      {filesystem.error && <span class="tag critical">{filesystem.error}</span>}
      {filesystem.readonly && <span class="tag">read-only</span>}
      {files !== null && files >= 85 && <span class="tag warning">{text(percent(files))} of files used</span>}
      <span class="quiet">{filesystem.fstype}</span>
    </Named>
  );
}

function fileShare({ files, files_free: free }: Filesystem): number | null {
  return files && Number.isFinite(free) ? (1 - (free as number) / files) * 100 : null;
}
