import type { Gpu, GpuProcess } from "../contract/types";
import { heatLevel, shareOf, throttling } from "../derive/gpu";
import { describeReason } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import { bytes, celsius, percent, text, UNKNOWN, watts } from "../format/format";
import { rowOf } from "../history/columns";
import { levelOf } from "../ui/bar";
import { Chart } from "../ui/chart";
import { type Measure, Measures } from "../ui/measures";
import { Figure, Panel } from "../ui/panel";
import { wholePercent } from "../ui/range";
import { Named, Table } from "../ui/table";
import { EmptyPanel } from "./empty";

const MiB = 1024 ** 2;

export function GpuPanel({ update }: { update: SystemUpdate }) {
  const gpus = update.metrics.gpu ?? [];
  if (gpus.length === 0)
    return <EmptyPanel id="gpu" title="GPU" update={update} source="gpu" missing={update.missing?.["gpu"] ?? null} />;
  const row = rowOf(update);
  return (
    <Panel
      id="gpu"
      title="GPU"
      note={gpus.length === 1 ? gpus[0]?.name : `${gpus.length} cards`}
      values={
        <>
          <Figure label="use" quantity={percent(row.gpu_percent)} />
          <Figure label="memory" quantity={percent(row.gpu_memory_percent)} />
        </>
      }
    >
      <Chart
        title="GPU use and memory"
        lines={[
          { name: "gpu_percent", label: "use", color: "green" },
          { name: "gpu_memory_percent", label: "memory", color: "violet" },
        ]}
        format={percent}
        range={wholePercent}
      />
      {gpus.map((gpu) => (
        <Card key={gpu.id} gpu={gpu} named={gpus.length > 1} />
      ))}
    </Panel>
  );
}

function Card({ gpu, named }: { gpu: Gpu; named: boolean }) {
  const reason = describeReason(gpu.reason, gpu.detail);
  const processes = (gpu.processes ?? []).toSorted((one, other) => (other.memory_mb ?? 0) - (one.memory_mb ?? 0));
  return (
    <div class="part">
      {named && (
        <h3 class="part-title">
          <Named name={gpu.name}>
            <span class="quiet">card {gpu.id}</span>
          </Named>
        </h3>
      )}
      {reason ? <p class="facts">{reason}</p> : <Measures measures={measures(gpu, named)} />}
      {!reason && !gpu.processes && <p class="facts">The driver does not tell which processes use it.</p>}
      {processes.length > 0 && (
        <Table<GpuProcess>
          caption={`Processes on ${gpu.name}, by memory`}
          rows={processes}
          rowKey={(process) => String(process.pid)}
          shown={4}
          columns={[
            { title: "Process", wide: true, cell: (process) => <ProcessName process={process} /> },
            { title: "PID", numeric: true, minor: true, cell: (process) => process.pid },
            { title: "Use", numeric: true, cell: (process) => text(percent(process.load_percent)) },
            { title: "Memory", numeric: true, cell: (process) => mebibytes(process.memory_mb) },
          ]}
        />
      )}
    </div>
  );
}

function ProcessName({ process }: { process: GpuProcess }) {
  return (
    <Named name={process.name ?? `process ${process.pid}`}>
      {process.model && <span class="tag cut">{process.model}</span>}
    </Named>
  );
}

function measures(gpu: Gpu, withUse: boolean): Measure[] {
  const use = { label: "Use", percent: gpu.load_percent ?? null, text: text(percent(gpu.load_percent)) };
  return [
    ...(withUse ? [use] : []),
    {
      label: "Memory",
      percent: gpu.memory_percent ?? null,
      level: levelOf(gpu.memory_percent, 92, 98),
      text: `${mebibytes(gpu.memory_used_mb)} of ${mebibytes(gpu.memory_total_mb)}`,
    },
    {
      label: "Temperature",
      percent: shareOf(gpu.temperature, gpu.temperature_slowdown),
      level: heatLevel(gpu),
      text: limited(text(celsius(gpu.temperature)), text(celsius(gpu.temperature_slowdown))),
    },
    {
      label: "Power",
      percent: shareOf(gpu.power_watts, gpu.power_limit_watts),
      text: limited(text(watts(gpu.power_watts)), text(watts(gpu.power_limit_watts))),
    },
    { label: "Fan", percent: gpu.fan_percent ?? null, text: text(percent(gpu.fan_percent)) },
    {
      label: "Held down by",
      level: gpu.throttle && gpu.throttle.length > 0 ? "warning" : null,
      text: throttling(gpu),
    },
  ];
}

function limited(value: string, limit: string): string {
  return limit === UNKNOWN ? value : `${value} of ${limit}`;
}

function mebibytes(value: number | null | undefined): string {
  return text(bytes(Number.isFinite(value) ? (value as number) * MiB : null));
}
