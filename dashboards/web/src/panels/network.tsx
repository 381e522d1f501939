import type { Interface as NetworkInterface } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { bytesPerSecond, count, linkSpeed, text } from "../format/format";
import { rowOf } from "../history/columns";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { BINARY, fromZero } from "../ui/range";
import { Named, Table } from "../ui/table";

export function NetworkPanel({ update }: { update: SystemUpdate }) {
  const network = update.metrics.network;
  const interfaces = network?.interfaces;
  const row = rowOf(update);
  const up = interfaces?.filter((device) => device.operstate === "up").length;
  return (
    <Panel
      id="network"
      title="Network"
      note={interfaces ? `${up} of ${interfaces.length} interfaces up` : whyMissing(update, "network.interfaces")}
      values={
        <>
          <Figure label="in" quantity={bytesPerSecond(row.network_receive_bytes_per_second)} />
          <Figure label="out" quantity={bytesPerSecond(row.network_transmit_bytes_per_second)} />
        </>
      }
    >
      <Chart
        title="Network traffic"
        lines={[
          { name: "network_receive_bytes_per_second", label: "received", color: "teal" },
          { name: "network_transmit_bytes_per_second", label: "sent", color: "amber" },
        ]}
        format={bytesPerSecond}
        range={fromZero(BINARY, 16 * 1024)}
        steps={BINARY}
      />
      {interfaces && (
        <Table
          caption="Network interfaces"
          rows={busiest(interfaces)}
          rowKey={(device) => device.device}
          shown={4}
          columns={[
            { title: "Interface", wide: true, cell: (device) => <Interface device={device} /> },
            { title: "In", numeric: true, cell: (device) => text(bytesPerSecond(device.receive_bytes_per_second)) },
            { title: "Out", numeric: true, cell: (device) => text(bytesPerSecond(device.transmit_bytes_per_second)) },
            { title: "Errors", numeric: true, minor: true, cell: (device) => <Errors device={device} /> },
          ]}
        />
      )}
    </Panel>
  );
}

function Interface({ device }: { device: NetworkInterface }) {
  const up = device.operstate !== "down" && device.operstate !== "lowerlayerdown";
  return (
    <Named name={device.device}>
      {!up && <span class="tag">{device.operstate}</span>}
      {up && device.speed_bytes ? <span class="quiet">{text(linkSpeed(device.speed_bytes))}</span> : null}
    </Named>
  );
}

function Errors({ device }: { device: NetworkInterface }) {
  const { receive_errors: received, transmit_errors: sent } = device;
  const known = Number.isFinite(received) || Number.isFinite(sent);
  const errors = known ? (received ?? 0) + (sent ?? 0) : null;
  return <span class={errors ? "warning-text" : ""}>{text(count(errors))}</span>;
}

function busiest(interfaces: NetworkInterface[]): NetworkInterface[] {
  const traffic = (device: NetworkInterface) =>
    (device.receive_bytes_per_second ?? 0) + (device.transmit_bytes_per_second ?? 0);
  const real = (device: NetworkInterface) => Number(device.device !== "lo");
  return interfaces.toSorted(
    (one, other) =>
      real(other) - real(one) ||
      Math.round(Math.log2(traffic(other) + 1)) - Math.round(Math.log2(traffic(one) + 1)) ||
      one.device.localeCompare(other.device),
  );
}
