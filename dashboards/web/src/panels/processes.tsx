import { useState } from "preact/hooks";
import { type Process, type SystemUpdate, whyMissing } from "../feed/message";
import { bytes, count, percent, text, timeOfDay } from "../format/format";
import { Choice } from "../ui/choice";
import { Empty, Panel } from "../ui/panel";
import { Table } from "../ui/table";

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
      {processes ? (
        <>
          <Table<Process>
            caption={`Processes that use most ${order}`}
            rows={rows}
            rowKey={(process) => String(process.pid)}
            shown={10}
            columns={[
              { title: "Name", wide: true, cell: (process) => <span title={process.name}>{process.name}</span> },
              { title: "PID", numeric: true, minor: true, cell: (process) => process.pid },
              { title: "User", minor: true, cell: (process) => process.user ?? "–" },
              { title: "CPU", numeric: true, cell: (process) => text(percent(process.cpu_percent)) },
              { title: "Memory", numeric: true, cell: (process) => text(bytes(process.memory_bytes)) },
            ]}
          />
          <p class="facts">
            100 % is one whole CPU
            {processes.sampled_at && <> · read at {timeOfDay(Date.parse(processes.sampled_at))}</>}
          </p>
        </>
      ) : (
        <Empty title="No process reading" reason={whyMissing(update, "processes")} />
      )}
    </Panel>
  );
}
