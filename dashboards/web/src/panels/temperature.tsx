import type { Temperature as Sensor } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { celsius, text } from "../format/format";
import { rowOf } from "../history/columns";
import { Bar } from "../ui/bar";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { around } from "../ui/range";
import { Named, Table } from "../ui/table";

export function TemperaturePanel({ update }: { update: SystemUpdate }) {
  const chips = update.metrics.temperature;
  const sensors = Object.entries(chips ?? {}).flatMap(([chip, list]) =>
    list.map((sensor, index) => ({ ...sensor, chip, key: `${chip} ${index} ${sensor.label}` })),
  );
  return (
    <Panel
      id="temperature"
      title="Temperature"
      note={chips ? hottest(sensors) : whyMissing(update, "temperature")}
      values={<Figure quantity={celsius(rowOf(update).temperature_celsius)} />}
    >
      <Chart
        title="Hottest sensor"
        lines={[{ name: "temperature_celsius", label: "hottest", color: "rose" }]}
        format={celsius}
        range={around}
      />
      {chips && (
        <Table
          caption="Temperature sensors"
          rows={sensors}
          rowKey={(sensor) => sensor.key}
          shown={6}
          columns={[
            {
              title: "Sensor",
              wide: true,
              cell: (sensor) => (
                <Named name={sensor.label || "sensor"}>
                  <span class="quiet">{sensor.chip}</span>
                </Named>
              ),
            },
            {
              title: "Now",
              numeric: true,
              cell: (sensor) => (
                <Bar percent={share(sensor)} level={level(sensor)}>
                  {text(celsius(sensor.current))}
                </Bar>
              ),
            },
            { title: "Limit", numeric: true, cell: (sensor) => text(celsius(sensor.critical ?? sensor.high)) },
          ]}
        />
      )}
    </Panel>
  );
}

function hottest(sensors: (Sensor & { chip: string })[]): string {
  const known = sensors.filter((sensor) => Number.isFinite(sensor.current));
  const [first] = known.sort((one, other) => (other.current as number) - (one.current as number));
  return first ? `hottest: ${first.label} ${first.chip}` : "no sensor answers";
}

function share(sensor: Sensor): number | null {
  const limit = sensor.critical ?? sensor.high;
  return Number.isFinite(sensor.current) && limit ? ((sensor.current as number) / limit) * 100 : null;
}

function level(sensor: Sensor): "warning" | "critical" | null {
  const { current, high, critical } = sensor;
  if (!Number.isFinite(current)) return null;
  if (critical && (current as number) >= critical) return "critical";
  return high && (current as number) >= high ? "warning" : null;
}
