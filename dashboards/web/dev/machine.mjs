// A made-up machine for developing the page without an agent: numbers that move like those of a busy box.

import { health } from "./services.mjs";

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

/** Wanders around `home`, smoothly, between the limits, the same way each time for the same seed. */
export function wander(seed, home, swing, low, high) {
  let state = seed * 2654435761;
  let value = home;
  let drift = 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    drift = drift * 0.9 + (random() - 0.5) * swing;
    if (random() < 0.01) drift += swing * 3 * random();
    value = Math.min(high, Math.max(low, value + drift + (home - value) * 0.06));
    return value;
  };
}

/** `bare` leaves out what a small virtual machine lacks, `full` adds alerts and broken filesystems. */
export function makeMachine(scenario = "usual", interval = 1) {
  const threads = scenario === "full" ? 64 : 16;
  const cpu = wander(1, 24, 2.2, 1.5, 99);
  const memory = wander(2, scenario === "full" ? 93 : 61, 0.3, 20, 97);
  const cores = Array.from({ length: threads }, (_, index) => wander(10 + index, 24, 7, 0, 100));
  const rates = [wander(3, 6 * MiB, 1.5 * MiB, 9e3, 90 * MiB), wander(4, 1.6 * MiB, MiB / 3, 4e3, 40 * MiB)];
  const disks = [wander(5, 16 * MiB, 6 * MiB, 0, 800 * MiB), wander(6, 22 * MiB, 5 * MiB, 4e4, 400 * MiB)];
  const heat = wander(7, 54, 0.3, 35, 96);
  const stall = [wander(8, 1.8, 0.25, 0, 60), wander(9, 0.05, 0.05, 0, 20), wander(99, 0.9, 0.2, 0, 40)];
  const graphics = [0, 1].map((n) => [
    wander(20 + n, 71, 5, 0, 100),
    wander(30 + n, 78, 0.4, 2, 97),
    wander(40 + n, 66, 0.4, 30, 88),
  ]);
  const started = Date.now();
  let seq = 0;

  return function sample(at = Date.now()) {
    const use = cpu();
    const used = memory();
    const total = Math.round(63.2 * GiB);
    const share = (percent) => Math.round((total * percent) / 100);
    const [receive, transmit] = rates.map((next) => next());
    const [read, write] = disks.map((next) => next());
    const celsius = heat() + use / 12;
    const [cpuStall, memoryStall, ioStall] = stall.map((next) => next());
    const sampled = new Date(at).toISOString();
    const waits = (value) => ({ avg10: round(value), avg60: round(value * 0.8), avg300: round(value * 0.6) });
    const message = {
      type: "system_update",
      seq: ++seq,
      sampled_at: sampled,
      timestamp: sampled,
      interval_seconds: interval,
      metrics: {
        timestamp: sampled,
        platform: {
          system: "Linux",
          release: "6.12.41-amd64",
          machine: "x86_64",
          processor: scenario === "bare" ? null : "AMD Ryzen 9 7950X 16-Core Processor",
          hostname: scenario === "bare" ? "vm" : "workbench",
          distribution: "Debian GNU/Linux 12 (bookworm)",
          boot_time: new Date(started - 13e8).toISOString(),
          uptime_seconds: (at - started) / 1000 + 13e5,
        },
        cpu: {
          usage_percent: seq === 1 ? null : round(use),
          count_physical: threads / 2,
          count_logical: threads,
          frequency: scenario === "bare" ? null : { current: 3400 + use * 14, min: 400, max: 5700 },
          per_cpu_percent: cores.map((next) => round(next())),
          load_average: [round((use / 100) * threads * 0.9), round((use / 100) * threads * 0.8), 3.1],
          mode_percent: {
            user: round(use * 0.68),
            nice: 0,
            system: round(use * 0.22),
            iowait: round(use * 0.06),
            irq: 0,
            softirq: round(use * 0.04),
            steal: 0,
            idle: round(100 - use),
          },
        },
        memory: {
          total,
          total_gb: round(total / GiB),
          available: share(100 - used),
          available_gb: round(share(100 - used) / GiB),
          used: share(used),
          used_gb: round(share(used) / GiB),
          free: share((100 - used) * 0.3),
          buffers: share(0.4),
          cached: share((100 - used) * 0.7) - share(0.4),
          percent: round(used),
          swap:
            scenario === "bare"
              ? { total: 0, used: 0, free: 0, percent: 0 }
              : { total: 8 * GiB, used: 0.5 * GiB, free: 7.5 * GiB, percent: 6.25 },
        },
        disk: {
          path: "/",
          io: { read_speed_mb: read / MiB, write_speed_mb: write / MiB },
          filesystems: filesystems(scenario),
          devices: [
            device("nvme0n1", read * 0.9, write * 0.7, 23),
            device("nvme1n1", read * 0.1, write * 0.3, 4),
            ...(scenario === "bare" ? [] : [device("sda", 0, 0, 0)]),
          ],
        },
        network: {
          bytes_recv: Math.round(receive * seq),
          bytes_sent: Math.round(transmit * seq),
          packets_recv: Math.round((receive * seq) / 900),
          packets_sent: Math.round((transmit * seq) / 700),
          errors_in: 3,
          errors_out: 0,
          speed: { download_mb: receive / MiB, upload_mb: transmit / MiB },
          interfaces: [
            link("enp6s0", "up", receive * 0.96, transmit * 0.97, 125e6),
            link("docker0", "up", receive * 0.04, transmit * 0.03, null),
            link("lo", "unknown", 81_000, 81_000, null),
            link("wlp5s0", "down", 0, 0, null),
            ...(scenario === "full"
              ? Array.from({ length: 9 }, (_, n) => link(`veth${n}a3f91c`, "up", 900 * n, 700 * n, 125e7))
              : []),
          ],
        },
        pressure: {
          cpu: { some: waits(cpuStall) },
          memory: { some: waits(memoryStall), full: waits(memoryStall * 0.8) },
          io: { some: waits(ioStall), full: waits(ioStall * 0.7) },
        },
        temperature: {
          k10temp: [
            { label: "Tctl", current: round(celsius), high: 90, critical: 95 },
            { label: "Tccd1", current: round(celsius - 7), high: null, critical: null },
          ],
          nvme: [{ label: "Composite", current: 43.9, high: 81.8, critical: 84.8 }],
          iwlwifi_1: [{ label: "temp1", current: 38, high: null, critical: null }],
        },
        gpu: gpus(scenario, graphics),
        processes: processes(sampled, use, total),
      },
      missing: {},
      sources: health(scenario, interval),
      alerts: [],
    };
    if (scenario === "bare") strip(message);
    if (scenario === "full") trouble(message, used, at);
    return message;
  };
}

function strip(message) {
  delete message.metrics.temperature;
  delete message.metrics.pressure;
  delete message.metrics.gpu;
  message.metrics.disk.io = null;
  message.metrics.disk.devices = [];
  message.missing = {
    gpu: { reason: "no_sensor", detail: message.sources.find(({ name }) => name === "gpu").detail },
    temperature: { reason: "no_sensor", detail: "/sys/class/hwmon: No such file or directory" },
    pressure: { reason: "no_sensor", detail: "/proc/pressure/cpu: this kernel was started with psi=0" },
    "disk.io": { reason: "no_sensor", detail: "/proc/diskstats lists no disk" },
    "disk.devices": { reason: "no_sensor", detail: "/proc/diskstats lists no disk" },
    "cpu.frequency": { reason: "no_sensor", detail: "/sys/devices/system/cpu/cpu0/cpufreq: No such file or directory" },
  };
}

function trouble(message, used, at) {
  message.alerts = [
    {
      name: "memory",
      severity: "warning",
      value: used,
      threshold: 90,
      unit: "percent",
      since: new Date(at - 7e5).toISOString(),
    },
    {
      name: "filesystem /var",
      severity: "critical",
      value: 97.1,
      threshold: 95,
      unit: "percent",
      since: new Date(at - 9e6).toISOString(),
    },
  ];
}

/** `full` has a second card that fell off the bus, as the agent then shows it. */
function gpus(scenario, graphics) {
  const one = (id, name, [load, memory, heat], more = {}) => {
    const percent = memory();
    const use = load();
    return {
      id,
      name,
      uuid: `GPU-${id}0c1f7a2`,
      vendor: "nvidia",
      load_percent: Math.round(use),
      memory_used_mb: round((24_564 * percent) / 100),
      memory_total_mb: 24_564,
      memory_percent: round(percent),
      temperature: Math.round(heat()),
      temperature_slowdown: 83,
      power_watts: round(60 + use * 3.4),
      power_limit_watts: 450,
      fan_percent: Math.round(30 + use / 4),
      throttle: use > 90 ? ["sw_power_cap"] : [],
      instances: [],
      processes: [
        { pid: 4388, name: "ollama", memory_mb: 9_216, load_percent: Math.round(use * 0.8), model: "llama3.1:8b" },
        {
          pid: 4402,
          name: "ollama",
          memory_mb: 6_830,
          load_percent: Math.round(use * 0.15),
          model: "qwen2.5-coder:7b",
        },
        { pid: 88121, name: "python3", memory_mb: 2_204, load_percent: Math.round(use * 0.05) },
      ],
      reason: null,
      detail: null,
      ...more,
    };
  };
  const first = one(0, "NVIDIA GeForce RTX 4090", graphics[0]);
  if (scenario !== "full") return [first];
  const nulls = Object.fromEntries(
    ["load_percent", "memory_used_mb", "memory_total_mb", "memory_percent", "temperature", "processes"].map((key) => [
      key,
      null,
    ]),
  );
  const lost = { reason: "unreachable", detail: "the card fell off the bus (XID 79)" };
  return [first, one(1, "NVIDIA <b>RTX</b> 6000 Ada Generation", graphics[1], { ...nulls, ...lost })];
}

function filesystems(scenario) {
  const one = (device, mountpoint, fstype, size, percent, more = {}) => ({
    device,
    mountpoint,
    fstype,
    size: Math.round(size * GiB),
    available: Math.round((size * GiB * (100 - percent)) / 100),
    free: Math.round((size * GiB * (100 - percent)) / 100),
    used: Math.round((size * GiB * percent) / 100),
    percent,
    files: 6e7,
    files_free: 5e7,
    readonly: false,
    error: null,
    ...more,
  });
  const usual = [
    one("/dev/nvme0n1p2", "/", "ext4", 916, 47.3),
    one("/dev/nvme0n1p1", "/boot/efi", "vfat", 0.5, 6.1),
    one("/dev/nvme1n1", "/models", "xfs", 3726, 86.4),
    one("tmpfs", "/tmp", "tmpfs", 31.6, 0.2),
  ];
  if (scenario !== "full") return usual;
  const unknown = { size: null, available: null, free: null, used: null, percent: null, files: null, files_free: null };
  return [
    ...usual,
    one("/dev/sda1", "/var", "ext4", 120, 97.1),
    one("/dev/loop3", "/snap/<b>core</b>/17200", "squashfs", 0.06, 100, { readonly: true }),
    one("nas:/export", "/mnt/a-rather-long-name-of-a-share/backups/of/everything", "nfs4", 1, 1, {
      ...unknown,
      error: "stuck",
    }),
  ];
}

function device(name, read, write, busy) {
  return {
    device: name,
    read_bytes_per_second: read,
    write_bytes_per_second: write,
    reads_per_second: read / 32_000,
    writes_per_second: write / 48_000,
    busy_percent: busy,
  };
}

function link(name, operstate, receive, transmit, speed) {
  return {
    device: name,
    operstate,
    receive_bytes_per_second: receive,
    transmit_bytes_per_second: transmit,
    receive_errors: name === "docker0" ? 3 : 0,
    transmit_errors: 0,
    speed_bytes: speed,
  };
}

function processes(sampled, use, total) {
  const list = [
    [4211, "ollama", "ollama", use * 9, 0.21],
    [1907, "postgres", "postgres", 11.2, 0.031],
    [88121, "python3", "mira", 64.8, 0.087],
    [2214, "qdrant", "root", 7.4, 0.044],
    [912, "dockerd", "root", 1.9, 0.002],
    [1, "systemd", "root", 0.1, 0.0002],
    [3307, "chromium <i>--type=renderer</i>", "mira", 23.1, 0.018],
    [702, "NetworkManager", "root", 0.2, 0.0003],
    [4301, "aura", "aura", 0.1, 0.0001],
    [5120, "sshd", null, 0, 0.0001],
  ].map(([pid, name, user, cpu, share]) => ({
    pid,
    name,
    user,
    cpu_percent: round(cpu),
    memory_bytes: Math.round(total * share),
  }));
  return {
    sampled_at: sampled,
    total: 412,
    running: 3,
    blocked: 0,
    top_cpu: list.toSorted((one, other) => other.cpu_percent - one.cpu_percent),
    top_memory: list.toSorted((one, other) => other.memory_bytes - one.memory_bytes),
  };
}

function round(value) {
  return Math.round(value * 100) / 100;
}
