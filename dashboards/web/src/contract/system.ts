// Generated from docs/api.schema.json: npm run contract.

/**
 * Why a value is not there, as a code that programs can act on.
 */
export type Reason =
  | "no_sensor"
  | "not_configured"
  | "unreachable"
  | "no_table"
  | "no_permission"
  | "stale"
  | "unreadable"
  | (string & {});

/**
 * One message.
 */
export interface SystemUpdate {
  /**
   * Limits that are exceeded now.
   */
  alerts: Alert[];
  /**
   * From one reading to the next, in seconds.
   */
  interval_seconds: number;
  metrics: Metrics;
  /**
   * Why what is `null` or absent in `metrics` is missing, by its path there.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * When the host was read, RFC 3339.
   */
  sampled_at: string;
  /**
   * One more with each reading of the host since the agent started.
   */
  seq: number;
  /**
   * How each source fares.
   */
  sources: SourceState[];
  /**
   * The same as `sampled_at`.
   */
  timestamp: string;
  /**
   * Always `system_update`.
   */
  type: string;
}
/**
 * A limit that is exceeded.
 */
export interface Alert {
  /**
   * Its name in the configuration.
   */
  name: string;
  /**
   * `warning` or `critical`.
   */
  severity: string;
  /**
   * Since when it is exceeded, RFC 3339.
   */
  since: string;
  /**
   * The limit.
   */
  threshold: number;
  /**
   * The unit of both.
   */
  unit: string;
  /**
   * The value now.
   */
  value: number;
}
/**
 * The host.
 */
export interface Metrics {
  cpu: Cpu;
  disk: Disk;
  /**
   * GPUs; absent without one.
   */
  gpu?: Gpu[] | null;
  /**
   * Memory; `null` when it could not be read.
   */
  memory: Memory | null;
  /**
   * Network.
   */
  network: Network | null;
  platform: Platform;
  /**
   * Share of time in which tasks waited for something; absent when the kernel does not say.
   */
  pressure?: Pressure | null;
  /**
   * The processes that use most.
   */
  processes: Processes | null;
  /**
   * Temperatures by chip; absent without a sensor.
   */
  temperature?: {
    [k: string]: Temperature[];
  } | null;
  /**
   * When the host was read, RFC 3339.
   */
  timestamp: string;
}
/**
 * Processors.
 */
export interface Cpu {
  /**
   * Hardware threads that are online.
   */
  count_logical: number | null;
  /**
   * Cores; `null` when the kernel does not say.
   */
  count_physical: number | null;
  /**
   * Clock of all together, in MHz.
   */
  frequency: Frequency | null;
  /**
   * Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
   *
   * @minItems 3
   * @maxItems 3
   */
  load_average: [number, number, number] | null;
  /**
   * Share of time in each mode.
   */
  mode_percent: {
    [k: string]: number;
  } | null;
  /**
   * Share of time in which each worked, in the order of their numbers.
   */
  per_cpu_percent: number[] | null;
  /**
   * Share of time in which they worked.
   */
  usage_percent: number | null;
}
/**
 * Clock in MHz: the mean now, the lowest and the highest that the processor can do.
 */
export interface Frequency {
  /**
   * Mean of all cores now.
   */
  current: number;
  /**
   * Highest.
   */
  max: number | null;
  /**
   * Lowest.
   */
  min: number | null;
}
/**
 * Disks: the root file system first, as older dashboards want it, then all.
 */
export interface Disk {
  /**
   * Every watched disk.
   */
  devices: Device[];
  /**
   * Every watched file system.
   */
  filesystems: Filesystem[];
  /**
   * Bytes that users can still fill.
   */
  free: number | null;
  /**
   * GiB.
   */
  free_gb: number | null;
  /**
   * All disks together, partitions not counted again.
   */
  io: DiskSpeed | null;
  /**
   * Where the root file system is mounted; what follows up to `free_gb` is about it.
   */
  path: string;
  /**
   * `used` as a share of what users can fill.
   */
  percent: number | null;
  /**
   * Bytes.
   */
  total: number | null;
  /**
   * GiB.
   */
  total_gb: number | null;
  /**
   * Bytes.
   */
  used: number | null;
  /**
   * GiB.
   */
  used_gb: number | null;
}
/**
 * A disk; `null` until there are two readings.
 */
export interface Device {
  /**
   * Share of time in which it had something to do.
   */
  busy_percent: number | null;
  /**
   * Its name.
   */
  device: string;
  /**
   * Bytes.
   */
  read_bytes_per_second: number | null;
  /**
   * Completed reads.
   */
  reads_per_second: number | null;
  /**
   * Bytes.
   */
  write_bytes_per_second: number | null;
  /**
   * Completed writes.
   */
  writes_per_second: number | null;
}
/**
 * A mounted file system; sizes in bytes, `null` when it does not answer.
 */
export interface Filesystem {
  /**
   * Not in use and open to users.
   */
  available: number | null;
  /**
   * What is mounted.
   */
  device: string;
  /**
   * Why it does not answer.
   */
  error: string | null;
  /**
   * Inodes.
   */
  files: number | null;
  /**
   * Inodes not in use.
   */
  files_free: number | null;
  /**
   * Not in use.
   */
  free: number | null;
  /**
   * Kind.
   */
  fstype: string;
  /**
   * Where.
   */
  mountpoint: string;
  /**
   * `used` as a share of `used` and `available`, as df has it.
   */
  percent: number | null;
  /**
   * Whether it is mounted read-only.
   */
  readonly: boolean;
  /**
   * All there is.
   */
  size: number | null;
  /**
   * In use.
   */
  used: number | null;
}
/**
 * MiB a second.
 */
export interface DiskSpeed {
  /**
   * Read.
   */
  read_speed_mb: number;
  /**
   * Written.
   */
  write_speed_mb: number;
}
/**
 * A GPU. `*_mb` are MiB here, as older dashboards have them.
 */
export interface Gpu {
  /**
   * Clock of the chip.
   */
  clock_mhz: number | null;
  /**
   * Share of time in which the video decoder worked.
   */
  decoder_percent: number | null;
  /**
   * The same as a sentence.
   */
  detail: string | null;
  /**
   * Memory errors that were not corrected, since the driver was loaded.
   */
  ecc_uncorrected: number | null;
  /**
   * Share of time in which the video encoder worked.
   */
  encoder_percent: number | null;
  /**
   * The fastest fan, as a share of its highest speed.
   */
  fan_percent: number | null;
  /**
   * Its number.
   */
  id: number;
  /**
   * Partitions of the card.
   */
  instances: GpuInstance[];
  /**
   * The driver's newest error report; `null` when there was none.
   */
  last_error: GpuError | null;
  /**
   * Share of time in which something ran.
   */
  load_percent: number | null;
  /**
   * Clock of the memory.
   */
  memory_clock_mhz: number | null;
  /**
   * `memory_used_mb` as a share of `memory_total_mb`.
   */
  memory_percent: number | null;
  /**
   * All memory.
   */
  memory_total_mb: number | null;
  /**
   * Memory that programs use.
   */
  memory_used_mb: number | null;
  /**
   * Its name.
   */
  name: string;
  /**
   * What may be drawn.
   */
  power_limit_watts: number | null;
  /**
   * Drawn now.
   */
  power_watts: number | null;
  /**
   * The processes that use it, those with most memory first; `null` when the driver does not tell.
   */
  processes: GpuProcess[] | null;
  /**
   * Why nothing of it can be read, as a code: it is lost, asleep or without a driver, or its reading is late.
   */
  reason: string | null;
  /**
   * Degrees Celsius.
   */
  temperature: number | null;
  /**
   * Of the memory, in degrees Celsius.
   */
  temperature_memory: number | null;
  /**
   * Where clocks are lowered, in degrees Celsius.
   */
  temperature_slowdown: number | null;
  /**
   * Why clocks are lower than they could be; `null` when it does not say.
   */
  throttle: string[] | null;
  /**
   * Its unique number; its place on the bus where it has none.
   */
  uuid: string;
  /**
   * `nvidia`, `amd` or `intel`.
   */
  vendor: string;
}
/**
 * A partition of an NVIDIA card.
 */
export interface GpuInstance {
  /**
   * The number of its GPU instance.
   */
  id: number | null;
  /**
   * All memory.
   */
  memory_total_mb: number | null;
  /**
   * Memory that programs use.
   */
  memory_used_mb: number | null;
  /**
   * Its kind: `1g.10gb`.
   */
  profile: string;
  /**
   * Its unique number.
   */
  uuid: string;
}
/**
 * An error that NVIDIA's driver reported (XID).
 */
export interface GpuError {
  /**
   * When last, RFC 3339.
   */
  at: string | null;
  /**
   * Its code.
   */
  code: number;
  /**
   * How often it was reported since the agent began to listen.
   */
  count: number;
}
/**
 * A process that uses a GPU.
 */
export interface GpuProcess {
  /**
   * Share of time in which its work ran; `null` when it was not measured.
   */
  load_percent: number | null;
  /**
   * Its memory on the GPU.
   */
  memory_mb: number | null;
  /**
   * The model that it runs, if it is a runner of an Ollama on this machine; `null` when none is known.
   */
  model: string | null;
  /**
   * Its name; `null` when it is gone or hidden.
   */
  name: string | null;
  /**
   * Its number.
   */
  pid: number;
}
/**
 * Memory, in bytes.
 */
export interface Memory {
  /**
   * What programs can get without swapping.
   */
  available: number;
  /**
   * GiB.
   */
  available_gb: number;
  /**
   * Buffers of block devices.
   */
  buffers: number | null;
  /**
   * Page cache.
   */
  cached: number | null;
  /**
   * Not used for anything.
   */
  free: number;
  /**
   * `used` as a share of `total`.
   */
  percent: number;
  /**
   * Swap; `null` when the kernel does not say.
   */
  swap: Swap | null;
  /**
   * All there is.
   */
  total: number;
  /**
   * GiB.
   */
  total_gb: number;
  /**
   * `total` less `available`.
   */
  used: number;
  /**
   * GiB.
   */
  used_gb: number;
}
/**
 * Swap, in bytes; all zero when there is none.
 */
export interface Swap {
  /**
   * Not in use.
   */
  free: number;
  /**
   * `used` as a share of `total`; `null` without swap.
   */
  percent: number | null;
  /**
   * All there is.
   */
  total: number;
  /**
   * In use.
   */
  used: number;
}
/**
 * Network: all interfaces but loopback together since boot, then each.
 */
export interface Network {
  /**
   * Since boot.
   */
  bytes_recv: number;
  /**
   * Since boot.
   */
  bytes_sent: number;
  /**
   * Since boot.
   */
  errors_in: number;
  /**
   * Since boot.
   */
  errors_out: number;
  /**
   * Every interface.
   */
  interfaces: Interface[];
  /**
   * Since boot.
   */
  packets_recv: number;
  /**
   * Since boot.
   */
  packets_sent: number;
  /**
   * MiB a second.
   */
  speed: NetworkSpeed | null;
}
/**
 * A network interface; rates are `null` until there are two readings.
 */
export interface Interface {
  /**
   * Its name.
   */
  device: string;
  /**
   * `up`, `down`, `unknown` and so on, as the kernel says.
   */
  operstate: string | null;
  /**
   * Bytes.
   */
  receive_bytes_per_second: number | null;
  /**
   * Since boot.
   */
  receive_errors: number;
  /**
   * Link speed in bytes a second.
   */
  speed_bytes: number | null;
  /**
   * Bytes.
   */
  transmit_bytes_per_second: number | null;
  /**
   * Since boot.
   */
  transmit_errors: number;
}
/**
 * MiB a second.
 */
export interface NetworkSpeed {
  /**
   * Received.
   */
  download_mb: number;
  /**
   * Sent.
   */
  upload_mb: number;
}
/**
 * What the machine is.
 */
export interface Platform {
  /**
   * When the kernel started, RFC 3339.
   */
  boot_time: string | null;
  /**
   * Distribution, as it calls itself.
   */
  distribution: string | null;
  /**
   * Host name.
   */
  hostname: string | null;
  /**
   * Architecture.
   */
  machine: string | null;
  /**
   * Processor model.
   */
  processor: string | null;
  /**
   * Kernel's release.
   */
  release: string | null;
  /**
   * Kernel's name: `Linux`.
   */
  system: string | null;
  /**
   * How long it has been running.
   */
  uptime_seconds: number | null;
}
/**
 * Pressure stall information: the share of time in which tasks waited.
 */
export interface Pressure {
  /**
   * For a processor.
   */
  cpu: Stall | null;
  /**
   * For disks.
   */
  io: Stall | null;
  /**
   * For memory.
   */
  memory: Stall | null;
}
/**
 * Share of time in which some, and in which all tasks waited.
 */
export interface Stall {
  /**
   * All tasks waited.
   */
  full: Averages | null;
  some: Averages;
}
/**
 * Percent of the time.
 */
export interface Averages {
  /**
   * Over 10 seconds.
   */
  avg10: number;
  /**
   * Over 300 seconds.
   */
  avg300: number;
  /**
   * Over 60 seconds.
   */
  avg60: number;
}
/**
 * Processes. The table is dear to read, so it is read every 10 seconds, and with each reading while somebody looks.
 */
export interface Processes {
  /**
   * How many wait for a disk now.
   */
  blocked: number | null;
  /**
   * How many run now.
   */
  running: number | null;
  /**
   * When the table was read, RFC 3339.
   */
  sampled_at: string | null;
  /**
   * Those that used most processor time since the table was last read.
   */
  top_cpu: Process[];
  /**
   * Those that hold most memory.
   */
  top_memory: Process[];
  /**
   * How many there are.
   */
  total: number | null;
}
/**
 * A process.
 */
export interface Process {
  /**
   * Share of one processor, so more than 100 is possible; `null` until it was seen twice.
   */
  cpu_percent: number | null;
  /**
   * Memory in RAM.
   */
  memory_bytes: number;
  /**
   * The same as a share of all memory.
   */
  memory_percent: number | null;
  /**
   * Its name, as the kernel has it: 15 bytes at most.
   */
  name: string;
  /**
   * Its number.
   */
  pid: number;
  /**
   * Whose it is.
   */
  user: string | null;
}
/**
 * A temperature in degrees Celsius.
 */
export interface Temperature {
  /**
   * Where it gets dangerous.
   */
  critical: number | null;
  /**
   * Now.
   */
  current: number;
  /**
   * Where it gets warm.
   */
  high: number | null;
  /**
   * What it is of.
   */
  label: string;
}
/**
 * A value that is not there: the code for programs, the sentence for people.
 */
export interface Missing {
  /**
   * What was tried and what would help; names the file, view or address.
   */
  detail: string;
  reason: Reason;
}
/**
 * How a source fares.
 */
export interface SourceState {
  /**
   * Age of its newest reading.
   */
  age_seconds: number | null;
  /**
   * Why it is not fresh, as a sentence.
   */
  detail: string | null;
  /**
   * How long its newest sample took.
   */
  duration_seconds: number | null;
  /**
   * From one of its samples to the next.
   */
  interval_seconds: number;
  /**
   * Its name in the configuration.
   */
  name: string;
  /**
   * Why it is not fresh, as a code.
   */
  reason: string | null;
  /**
   * `fresh`, `stale`, `starting` or `off`.
   */
  state: string;
}
