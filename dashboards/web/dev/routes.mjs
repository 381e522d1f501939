// The agent's routes over a made-up machine and its services.

import { makeMachine } from "./machine.mjs";
import { makeServices } from "./services.mjs";

/** The routes, with the history of so many seconds. */
export function makeRoutes(scenario, interval = 1, historySeconds = 3600) {
  const sample = makeMachine(scenario, interval);
  const services = makeServices(scenario, interval);
  const remembered = [];
  const keep = (message, at) => {
    remembered.push([at / 1000, message.metrics]);
    if (remembered.length > 3700) remembered.shift();
    return message;
  };
  const begin = Date.now();
  for (let ago = historySeconds; ago > 0; ago -= interval) {
    const at = begin - ago * 1000;
    // Ten minutes ago the machine slept for two: the charts must show it.
    const asleep = ago < 600 && ago > 480;
    const message = sample(at);
    if (!asleep) keep(message, at);
  }
  const routes = {
    /** The newest message of each feed, by its name; null for a feed without one. */
    messages: {},
    next() {
      routes.messages = { system: keep(sample(), Date.now()), ...services() };
    },
    /** Status and body of the answer to a GET. */
    answer({ pathname, searchParams }) {
      if (pathname === "/api/system/history") {
        return [200, history(remembered, searchParams.get("window") ?? "15m", interval)];
      }
      const message = routes.messages[/^\/api\/(\w+)$/.exec(pathname)?.[1]];
      if (message) return [200, message];
      const error = { code: "not_found", message: `there is nothing at ${pathname}`, hint: null, retry_after_s: null };
      return [404, { error }];
    },
  };
  routes.next();
  return routes;
}

function history(remembered, window, interval) {
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(window) ?? [null, "15", "m"];
  const seconds = Number(number) * { s: 1, m: 60, h: 3600 }[unit];
  const rows = remembered.filter(([time]) => time >= Date.now() / 1000 - seconds);
  const column = (take) => rows.map(([, metrics]) => take(metrics) ?? null);
  const MiB = 1024 * 1024;
  const rate = (value) => (value === undefined ? null : value * MiB);
  return {
    window_seconds: seconds,
    step_seconds: interval,
    clock_steps: [],
    times: rows.map(([time]) => time),
    series: {
      cpu_percent: column((metrics) => metrics.cpu.usage_percent),
      memory_percent: column((metrics) => metrics.memory.percent),
      swap_percent: column((metrics) => metrics.memory.swap.percent),
      load1: column((metrics) => metrics.cpu.load_average[0]),
      disk_read_bytes_per_second: column((metrics) => rate(metrics.disk.io?.read_speed_mb)),
      disk_write_bytes_per_second: column((metrics) => rate(metrics.disk.io?.write_speed_mb)),
      network_receive_bytes_per_second: column((metrics) => rate(metrics.network.speed.download_mb)),
      network_transmit_bytes_per_second: column((metrics) => rate(metrics.network.speed.upload_mb)),
      temperature_celsius: column(
        (metrics) =>
          metrics.temperature &&
          Math.max(
            ...Object.values(metrics.temperature)
              .flat()
              .map((sensor) => sensor.current),
          ),
      ),
      pressure_cpu_percent: column((metrics) => metrics.pressure?.cpu.some.avg10),
      pressure_memory_percent: column((metrics) => metrics.pressure?.memory.some.avg10),
      pressure_io_percent: column((metrics) => metrics.pressure?.io.some.avg10),
    },
  };
}
