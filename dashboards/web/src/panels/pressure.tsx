import { type Stall, type SystemUpdate, whyMissing } from "../feed/message";
import { percent, text } from "../format/format";
import { Chart } from "../ui/chart";
import { Empty, Figure, Panel } from "../ui/panel";
import { DECIMAL, fromZero } from "../ui/range";
import { Table } from "../ui/table";

const RESOURCES = [
  ["cpu", "CPU"],
  ["memory", "memory"],
  ["io", "I/O"],
] as const;

export function PressurePanel({ update }: { update: SystemUpdate }) {
  const pressure = update.metrics.pressure;
  const rows = RESOURCES.flatMap(([key, label]) => {
    const stalls = pressure?.[key];
    const full = key === "cpu" ? null : stalls?.full;
    return [
      ...(stalls?.some ? [{ name: label, who: "some", stall: stalls.some }] : []),
      ...(full ? [{ name: label, who: "all", stall: full }] : []),
    ];
  });
  const values = RESOURCES.map(([key]) => pressure?.[key]?.some?.avg10).filter((value) => Number.isFinite(value));
  const highest = values.length > 0 ? Math.max(...(values as number[])) : null;
  return (
    <Panel
      id="pressure"
      title="Pressure"
      note={pressure ? "share of time that work waited" : null}
      values={<Figure quantity={percent(highest)} />}
    >
      {pressure ? (
        <>
          <Chart
            title="Pressure over 10 seconds"
            lines={[
              { name: "pressure_cpu_percent", label: "CPU", color: "blue" },
              { name: "pressure_memory_percent", label: "memory", color: "violet" },
              { name: "pressure_io_percent", label: "I/O", color: "amber" },
            ]}
            format={percent}
            range={fromZero(DECIMAL, 5, 100)}
          />
          <Table
            caption="Share of time that some or all tasks waited"
            rows={rows}
            rowKey={(row) => row.name + row.who}
            columns={[
              {
                title: "Waited for",
                wide: true,
                cell: (row) => (
                  <>
                    {row.name} <span class="quiet">{row.who === "all" ? "all tasks" : "some tasks"}</span>
                  </>
                ),
              },
              ...(["avg10", "avg60", "avg300"] as const).map((span, index) => ({
                title: ["10 s", "1 min", "5 min"][index] as string,
                numeric: true,
                cell: (row: { stall: Stall }) => text(percent(row.stall[span])),
              })),
            ]}
          />
        </>
      ) : (
        <Empty title="No pressure reading" reason={whyMissing(update, "pressure")} />
      )}
    </Panel>
  );
}
