import { type Metrics, type SystemUpdate, whyMissing } from "../feed/message";
import { percent, text } from "../format/format";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { DECIMAL, fromZero } from "../ui/range";

export function PressurePanel({ update }: { update: SystemUpdate }) {
  const pressure = update.metrics.pressure;
  return (
    <Panel
      id="pressure"
      title="Pressure"
      note={pressure ? "share of time in which some work waited" : whyMissing(update, "pressure")}
      values={<Figure quantity={percent(highest(pressure))} />}
    >
      <Chart
        title="Pressure over 10 seconds"
        lines={[
          { name: "pressure_cpu_percent", label: "for CPU", color: "blue" },
          { name: "pressure_memory_percent", label: "for memory", color: "violet" },
          { name: "pressure_io_percent", label: "for I/O", color: "amber" },
        ]}
        format={percent}
        range={fromZero(DECIMAL, 5, 100)}
      />
      {pressure && (
        <p class="facts">
          All work waited: for memory <b>{text(percent(pressure.memory?.full?.avg10))}</b>, for I/O{" "}
          <b>{text(percent(pressure.io?.full?.avg10))}</b>
        </p>
      )}
    </Panel>
  );
}

function highest(pressure: Metrics["pressure"]): number | null {
  const known = [pressure?.cpu, pressure?.memory, pressure?.io]
    .map((stalls) => stalls?.some?.avg10)
    .filter((value): value is number => Number.isFinite(value));
  return known.length > 0 ? Math.max(...known) : null;
}
