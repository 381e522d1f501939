import { describeReason, type Message, type Missing, parseMessage, reasonFor } from "./envelope";

/** The messages of `/ws/system` and `/api/system`. Whatever a machine may lack is optional or null: the page shows it as missing. */
export interface SystemUpdate extends Message {
  type: "system_update";
  sampled_at: string;
  metrics: Metrics;
  missing?: Record<string, Missing>;
  sources?: SourceHealth[];
  alerts?: Alert[];
}

export interface Metrics {
  platform?: Platform | null;
  cpu?: Cpu | null;
  memory?: Memory | null;
  disk?: Disk | null;
  network?: Network | null;
  temperature?: Record<string, Sensor[]> | null;
  gpu?: Gpu[] | null;
  pressure?: Partial<Record<"cpu" | "memory" | "io", Pressure | null>> | null;
  processes?: Processes | null;
}

export interface Platform {
  system?: string | null;
  release?: string | null;
  machine?: string | null;
  processor?: string | null;
  hostname?: string | null;
  distribution?: string | null;
  uptime_seconds?: number | null;
}

export interface Cpu {
  usage_percent?: number | null;
  count_physical?: number | null;
  count_logical?: number | null;
  /** MHz. */
  frequency?: { current?: number | null; min?: number | null; max?: number | null } | null;
  per_cpu_percent?: (number | null)[] | null;
  load_average?: (number | null)[] | null;
  mode_percent?: Record<string, number | null> | null;
}

export interface Memory {
  total?: number | null;
  available?: number | null;
  used?: number | null;
  free?: number | null;
  buffers?: number | null;
  cached?: number | null;
  percent?: number | null;
  swap?: { total?: number | null; used?: number | null; free?: number | null; percent?: number | null } | null;
}

export interface Disk {
  /** MiB a second. */
  io?: { read_speed_mb?: number | null; write_speed_mb?: number | null } | null;
  filesystems?: Filesystem[] | null;
  devices?: BlockDevice[] | null;
}

export interface Filesystem {
  device: string;
  mountpoint: string;
  fstype?: string | null;
  size?: number | null;
  available?: number | null;
  used?: number | null;
  percent?: number | null;
  files?: number | null;
  files_free?: number | null;
  readonly?: boolean | null;
  error?: string | null;
}

export interface BlockDevice {
  device: string;
  read_bytes_per_second?: number | null;
  write_bytes_per_second?: number | null;
  reads_per_second?: number | null;
  writes_per_second?: number | null;
  busy_percent?: number | null;
}

export interface Network {
  /** MiB a second. */
  speed?: { upload_mb?: number | null; download_mb?: number | null } | null;
  interfaces?: NetworkInterface[] | null;
}

export interface NetworkInterface {
  device: string;
  operstate?: string | null;
  receive_bytes_per_second?: number | null;
  transmit_bytes_per_second?: number | null;
  receive_errors?: number | null;
  transmit_errors?: number | null;
  speed_bytes?: number | null;
}

export interface Sensor {
  label: string;
  current?: number | null;
  high?: number | null;
  critical?: number | null;
}

/** A card: MiB, degrees Celsius, watts. A card that cannot be read has a reason and nothing else. */
export interface Gpu {
  id: number;
  name: string;
  uuid?: string | null;
  load_percent?: number | null;
  memory_used_mb?: number | null;
  memory_total_mb?: number | null;
  memory_percent?: number | null;
  temperature?: number | null;
  temperature_slowdown?: number | null;
  power_watts?: number | null;
  power_limit_watts?: number | null;
  fan_percent?: number | null;
  throttle?: string[] | null;
  processes?: GpuProcess[] | null;
  reason?: string | null;
  detail?: string | null;
}

export interface GpuProcess {
  pid: number;
  name?: string | null;
  memory_mb?: number | null;
  load_percent?: number | null;
  /** The model that it runs, where the agent knows. */
  model?: string | null;
}

export interface Pressure {
  some?: Stall | null;
  full?: Stall | null;
}

export interface Stall {
  avg10?: number | null;
  avg60?: number | null;
  avg300?: number | null;
}

export interface Processes {
  sampled_at?: string | null;
  total?: number | null;
  running?: number | null;
  blocked?: number | null;
  top_cpu?: Process[] | null;
  top_memory?: Process[] | null;
}

export interface Process {
  pid: number;
  name: string;
  user?: string | null;
  cpu_percent?: number | null;
  memory_bytes?: number | null;
}

export interface SourceHealth {
  name: string;
  state: "fresh" | "stale" | "off" | "starting" | (string & {});
  reason?: string | null;
  detail?: string | null;
  age_seconds?: number | null;
  interval_seconds?: number | null;
  duration_seconds?: number | null;
}

export interface Alert {
  name: string;
  severity: "warning" | "critical" | (string & {});
  value?: number | null;
  threshold?: number | null;
  unit?: string | null;
  since?: string | null;
}

/** The update in a text, or null when it is none: this one always has a time and readings. */
export function parseUpdate(text: string): SystemUpdate | null {
  const update = parseMessage<SystemUpdate>(text, ["system_update"]);
  return update?.sampled_at && typeof update.metrics === "object" && update.metrics ? update : null;
}

/** Why the block at `path` (inside `metrics`) is missing, in words. */
export function whyMissing(update: SystemUpdate | null, path: string): string | null {
  const why = reasonFor(update?.missing, path);
  return why && describeReason(why.reason, why.detail);
}
