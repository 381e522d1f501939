import type { ComponentType } from "preact";
import type { Metrics, SystemUpdate } from "../feed/message";
import type { SeriesName } from "../history/columns";
import { CpuPanel } from "./cpu";
import { DiskPanel } from "./disk";
import { FilesystemsPanel } from "./filesystems";
import { MemoryPanel } from "./memory";
import { NetworkPanel } from "./network";
import { PressurePanel } from "./pressure";
import { ProcessesPanel } from "./processes";
import { TemperaturePanel } from "./temperature";

/** A subject of the overview and where its block stands in a message. */
export interface Subject {
  title: string;
  /** The block inside `metrics`, as `missing` names it. */
  path: string;
  read: (metrics: Metrics) => unknown;
  series: SeriesName[];
  View: ComponentType<{ update: SystemUpdate }>;
}

/** What the overview shows, in its order. */
export const PANELS: Subject[] = [
  { title: "CPU", path: "cpu", read: (metrics) => metrics.cpu, series: ["cpu_percent"], View: CpuPanel },
  { title: "Memory", path: "memory", read: (metrics) => metrics.memory, series: ["memory_percent"], View: MemoryPanel },
  {
    title: "Pressure",
    path: "pressure",
    read: (metrics) => metrics.pressure,
    series: ["pressure_cpu_percent", "pressure_memory_percent", "pressure_io_percent"],
    View: PressurePanel,
  },
  {
    title: "Network",
    path: "network",
    read: (metrics) => metrics.network,
    series: ["network_receive_bytes_per_second"],
    View: NetworkPanel,
  },
  {
    title: "Disk I/O",
    path: "disk.devices",
    read: (metrics) => metrics.disk?.io ?? metrics.disk?.devices,
    series: ["disk_read_bytes_per_second", "disk_write_bytes_per_second"],
    View: DiskPanel,
  },
  {
    title: "Temperature",
    path: "temperature",
    read: (metrics) => metrics.temperature,
    series: ["temperature_celsius"],
    View: TemperaturePanel,
  },
  {
    title: "Processes",
    path: "processes",
    read: (metrics) => metrics.processes,
    series: [],
    View: ProcessesPanel,
  },
  {
    title: "Filesystems",
    path: "disk.filesystems",
    read: (metrics) => metrics.disk?.filesystems,
    series: [],
    View: FilesystemsPanel,
  },
];
