import type { HostMetrics as Metrics } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { percent, text } from "../format/format";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { DECIMAL, fromZero } from "../ui/range";

export function PressurePanel({ update }: { update: SystemUpdate }) {
  const pressure = update.metrics.pressure;
  const most = highest(pressure);
  return (
    <Panel
      id="pressure"
      title="Pressure"
      note={pressure ? "share of time in which some work waited" : whyMissing(update, "pressure")}
      values={most && <Figure label={most.label} quantity={percent(most.value)} />}
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

/** What work waits for most. */
function highest(pressure: Metrics["pressure"]): { label: string; value: number } | null {
  const waits = [
    { label: "CPU", value: pressure?.cpu?.some?.avg10 },
    { label: "memory", value: pressure?.memory?.some?.avg10 },
    { label: "I/O", value: pressure?.io?.some?.avg10 },
  ].filter((wait): wait is { label: string; value: number } => Number.isFinite(wait.value));
  return waits.sort((one, other) => other.value - one.value)[0] ?? null;
}
