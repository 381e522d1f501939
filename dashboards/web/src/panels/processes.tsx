import { useState } from "preact/hooks";
import type { Process } from "../contract/types";
import type { SystemUpdate } from "../feed/message";
import { bytes, count, percent, text, timeOfDay, UNKNOWN } from "../format/format";
import { Choice } from "../ui/choice";
import { Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";

const ORDERS = ["CPU", "memory"] as const;

export function ProcessesPanel({ update }: { update: SystemUpdate }) {
  const [order, setOrder] = useState<(typeof ORDERS)[number]>("CPU");
  const processes = update.metrics.processes;
  const rows = (order === "CPU" ? processes?.top_cpu : processes?.top_memory) ?? [];
  return (
    <Panel
      id="processes"
      title="Processes"
      note={
        processes &&
        `${text(count(processes.total))} in all, ${text(count(processes.running))} running, ${text(count(processes.blocked))} blocked`
      }
      values={<Choice label="Order of processes" options={ORDERS} chosen={order} choose={setOrder} />}
    >
      <Table<Process>
        caption={`Processes that use most ${order}`}
        rows={rows}
        rowKey={(process) => String(process.pid)}
        shown={10}
        columns={[
          { title: "Name", wide: true, cell: (process) => <Named name={process.name} /> },
          { title: "PID", numeric: true, minor: true, cell: (process) => process.pid },
          { title: "User", minor: true, cell: (process) => process.user ?? UNKNOWN },
          { title: "CPU", numeric: true, cell: (process) => text(percent(process.cpu_percent)) },
          { title: "Memory", numeric: true, cell: (process) => text(bytes(process.memory_bytes)) },
        ]}
      />
      <p class="facts">
        100 % is one whole CPU
        {processes?.sampled_at && <> · read at {timeOfDay(Date.parse(processes.sampled_at))}</>}
      </p>
    </Panel>
  );
}
