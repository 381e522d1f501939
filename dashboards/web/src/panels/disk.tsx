import { type BlockDevice, type SystemUpdate, whyMissing } from "../feed/message";
import { bytesPerSecond, count, percent, text } from "../format/format";
import { rowOf } from "../history/columns";
import { Chart } from "../ui/chart";
import { Empty, Figure, Panel } from "../ui/panel";
import { BINARY, fromZero } from "../ui/range";
import { Table } from "../ui/table";

export function DiskPanel({ update }: { update: SystemUpdate }) {
  const disk = update.metrics.disk;
  const row = rowOf(update);
  const reason = whyMissing(update, "disk.devices") ?? whyMissing(update, "disk.io");
  return (
    <Panel
      id="disk"
      title="Disk I/O"
      values={
        <>
          <Figure label="read" quantity={bytesPerSecond(row.disk_read_bytes_per_second)} />
          <Figure label="write" quantity={bytesPerSecond(row.disk_write_bytes_per_second)} />
        </>
      }
    >
      {disk && (disk.io || disk.devices || !reason) ? (
        <>
          <Chart
            title="Disk traffic"
            lines={[
              { name: "disk_read_bytes_per_second", label: "read", color: "green" },
              { name: "disk_write_bytes_per_second", label: "written", color: "amber" },
            ]}
            format={bytesPerSecond}
            range={fromZero(BINARY, 64 * 1024)}
            steps={BINARY}
          />
          {disk.devices && (
            <Table
              caption="Disks"
              rows={busiest(disk.devices)}
              rowKey={(device) => device.device}
              shown={4}
              columns={[
                { title: "Disk", wide: true, cell: (device) => device.device },
                { title: "Read", numeric: true, cell: (device) => text(bytesPerSecond(device.read_bytes_per_second)) },
                { title: "Write", numeric: true, cell: (device) => text(bytesPerSecond(device.write_bytes_per_second)) },
                {
                  title: "Ops/s",
                  numeric: true,
                  minor: true,
                  cell: (device) => text(count(operations(device))),
                },
                { title: "Busy", numeric: true, cell: (device) => text(percent(device.busy_percent)) },
              ]}
            />
          )}
        </>
      ) : (
        <Empty title="No disk reading" reason={reason} />
      )}
    </Panel>
  );
}

function operations(device: BlockDevice): number | null {
  const { reads_per_second: reads, writes_per_second: writes } = device;
  if (!Number.isFinite(reads) && !Number.isFinite(writes)) return null;
  return (reads ?? 0) + (writes ?? 0);
}

function busiest(devices: BlockDevice[]): BlockDevice[] {
  const busy = (device: BlockDevice) => Math.round((device.busy_percent ?? 0) / 20);
  return devices.toSorted((one, other) => busy(other) - busy(one) || one.device.localeCompare(other.device));
}
