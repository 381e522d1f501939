import type { Device as BlockDevice } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { bytesPerSecond, count, percent, text } from "../format/format";
import { rowOf } from "../history/columns";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { BINARY, fromZero } from "../ui/range";
import { Named, Table } from "../ui/table";

export function DiskPanel({ update }: { update: SystemUpdate }) {
  const devices = update.metrics.disk?.devices;
  const row = rowOf(update);
  return (
    <Panel
      id="disk"
      title="Disk I/O"
      note={
        devices ? `${devices.length} ${devices.length === 1 ? "disk" : "disks"}` : whyMissing(update, "disk.devices")
      }
      values={
        <>
          <Figure label="read" quantity={bytesPerSecond(row.disk_read_bytes_per_second)} />
          <Figure label="write" quantity={bytesPerSecond(row.disk_write_bytes_per_second)} />
        </>
      }
    >
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
      {devices && (
        <Table
          caption="Disks"
          rows={busiest(devices)}
          rowKey={(device) => device.device}
          shown={4}
          columns={[
            { title: "Disk", wide: true, cell: (device) => <Named name={device.device} /> },
            { title: "Read", numeric: true, cell: (device) => text(bytesPerSecond(device.read_bytes_per_second)) },
            { title: "Write", numeric: true, cell: (device) => text(bytesPerSecond(device.write_bytes_per_second)) },
            { title: "Ops/s", numeric: true, minor: true, cell: (device) => text(count(operations(device))) },
            { title: "Busy", numeric: true, cell: (device) => text(percent(device.busy_percent)) },
          ]}
        />
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
