import { type Filesystem, type SystemUpdate, whyMissing } from "../feed/message";
import { bytes, percent, text } from "../format/format";
import { Bar, levelOf } from "../ui/bar";
import { Empty, Panel } from "../ui/panel";
import { Table } from "../ui/table";

export function FilesystemsPanel({ update }: { update: SystemUpdate }) {
  const filesystems = update.metrics.disk?.filesystems;
  const rows = (filesystems ?? []).map((filesystem, index) => ({ ...filesystem, key: `${filesystem.mountpoint} ${index}` }));
  return (
    <Panel id="filesystems" title="Filesystems">
      {filesystems ? (
        <Table
          caption="Filesystems"
          rows={rows}
          rowKey={(filesystem) => filesystem.key}
          columns={[
            { title: "Mounted on", wide: true, cell: (filesystem) => <Mount filesystem={filesystem} /> },
            { title: "Free", numeric: true, cell: (filesystem) => text(bytes(filesystem.available)) },
            { title: "Size", numeric: true, minor: true, cell: (filesystem) => text(bytes(filesystem.size)) },
            {
              title: "Used",
              numeric: true,
              cell: (filesystem) => (
                <>
                  <Bar percent={filesystem.percent} level={levelOf(filesystem.percent)} /> {text(percent(filesystem.percent))}
                </>
              ),
            },
          ]}
        />
      ) : (
        <Empty title="No filesystem reading" reason={whyMissing(update, "disk.filesystems")} />
      )}
    </Panel>
  );
}

function Mount({ filesystem }: { filesystem: Filesystem }) {
  const files = fileShare(filesystem);
  return (
    <>
      <span title={`${filesystem.mountpoint} on ${filesystem.device}`}>{filesystem.mountpoint}</span>
      {filesystem.error && <span class="tag critical">{filesystem.error}</span>}
      {filesystem.readonly && <span class="tag">read-only</span>}
      {files !== null && files >= 85 && <span class="tag warning">{text(percent(files))} of files used</span>}
      <span class="quiet"> {filesystem.fstype}</span>
    </>
  );
}

function fileShare({ files, files_free: free }: Filesystem): number | null {
  return files && Number.isFinite(free) ? (1 - (free as number) / files) * 100 : null;
}
