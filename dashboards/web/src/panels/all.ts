import type { ComponentType } from "preact";
import type { HostMetrics as Metrics } from "../contract/types";
import type { SystemUpdate } from "../feed/message";
import type { SeriesName } from "../history/columns";
import type { Live } from "../live";
import { drawn } from "../store";
import { AuditPanel } from "./audit";
import { CpuPanel } from "./cpu";
import { DiskPanel } from "./disk";
import { isOn } from "./empty";
import { FilesystemsPanel } from "./filesystems";
import { governance } from "./governance";
import { GpuPanel } from "./gpu";
import { MemoryPanel } from "./memory";
import { ModelsPanel, models } from "./models";
import { NetworkPanel } from "./network";
import { database, PostgresPanel } from "./postgres";
import { PressurePanel } from "./pressure";
import { ProcessesPanel } from "./processes";
import { RolesPanel } from "./roles";
import { TemperaturePanel } from "./temperature";

/** A subject of the overview. */
export interface Subject {
  title: string;
  View: ComponentType<{ update: SystemUpdate }>;
  /** Whether there is something to show. */
  present: (update: SystemUpdate) => boolean;
  /** The block inside `metrics`, as `missing` names it: a subject of the host that is absent has no panel and is only named. */
  path?: string;
  /** The source that it shows; its panel is always there and says, if it is empty, why. */
  source?: string;
  /** That source's feed, open while the source is on. */
  feed?: Live<unknown>;
}

/** A block of the host. One that went missing a moment ago keeps its panel, where the chart shows since when. */
function block(
  title: string,
  path: string,
  View: Subject["View"],
  read: (metrics: Metrics) => unknown,
  series: SeriesName[] = [],
): Subject {
  return { title, path, View, present: ({ metrics }) => Boolean(read(metrics)) || drawn(series) };
}

/** What has a source and a feed of its own. */
function apart(title: string, source: string, View: Subject["View"], feed: Live<unknown>): Subject {
  return { title, source, View, feed, present: (update) => isOn(update, source) };
}

/** What the overview shows, in its order: what an AI box is made of first. */
export const PANELS: Subject[] = [
  block("CPU", "cpu", CpuPanel, ({ cpu }) => cpu, ["cpu_percent"]),
  block("Memory", "memory", MemoryPanel, ({ memory }) => memory, ["memory_percent"]),
  { title: "GPU", source: "gpu", View: GpuPanel, present: ({ metrics }) => (metrics.gpu?.length ?? 0) > 0 },
  apart("Models", "ollama", ModelsPanel, models),
  apart("PostgreSQL", "postgres", PostgresPanel, database),
  apart("Roles", "roles", RolesPanel, governance),
  apart("Audit log", "audit", AuditPanel, governance),
  block("Pressure", "pressure", PressurePanel, ({ pressure }) => pressure, [
    "pressure_cpu_percent",
    "pressure_memory_percent",
    "pressure_io_percent",
  ]),
  block("Network", "network", NetworkPanel, ({ network }) => network, ["network_receive_bytes_per_second"]),
  block("Disk I/O", "disk.devices", DiskPanel, ({ disk }) => disk.io ?? disk.devices.length > 0, [
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
  ]),
  block("Temperature", "temperature", TemperaturePanel, ({ temperature }) => temperature, ["temperature_celsius"]),
  block("Processes", "processes", ProcessesPanel, ({ processes }) => processes),
  block("Filesystems", "disk.filesystems", FilesystemsPanel, ({ disk }) => disk.filesystems.length > 0),
];
