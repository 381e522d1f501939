/** The messages of `/ws/system` and `/api/system`. Whatever a machine may lack is optional or null: the page shows it as missing. */
export interface SystemUpdate {
  type: "system_update";
  /** Grows by one each message; starts again when the agent does. */
  seq: number;
  sampled_at: string;
  interval_seconds: number;
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

export interface Missing {
  reason: string;
  detail?: string | null;
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

/** The update in a message's text, or null when the text is something else: an error, a message of another type, a torn one. */
export function parseUpdate(text: string): SystemUpdate | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const update = value as Partial<SystemUpdate>;
  const usable =
    update.type === "system_update" &&
    Number.isFinite(update.seq) &&
    typeof update.sampled_at === "string" &&
    !Number.isNaN(Date.parse(update.sampled_at)) &&
    typeof update.metrics === "object" &&
    update.metrics !== null;
  if (!usable) return null;
  const interval = Number.isFinite(update.interval_seconds) ? (update.interval_seconds as number) : 1;
  return { ...(update as SystemUpdate), interval_seconds: interval > 0 ? interval : 1 };
}

/** When the update's sample was taken, in milliseconds of the machine's own clock. */
export function sampledAt(update: SystemUpdate): number {
  return Date.parse(update.sampled_at);
}

/** Why the block at `path` (inside `metrics`) is missing, as the agent says it: its own entry or that of the nearest block around it. */
export function whyMissing(update: SystemUpdate | null, path: string): string | null {
  const missing = update?.missing;
  if (!missing) return null;
  for (let at = path; at; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const entry = missing[at];
    if (entry) return describeReason(entry.reason, entry.detail);
  }
  return null;
}

const REASONS: Record<string, string> = {
  no_sensor: "Not on this machine",
  not_configured: "Not configured",
  unreachable: "Unreachable",
  no_table: "The table is missing",
  no_permission: "No permission",
  stale: "No fresh reading",
  unreadable: "Unreadable",
};

/** A reason code and its sentence, as people read them. */
export function describeReason(reason: string | null | undefined, detail: string | null | undefined): string | null {
  if (!reason) return detail || null;
  const title = REASONS[reason] ?? reason.replaceAll("_", " ");
  return detail ? `${title}: ${detail}` : title;
}
