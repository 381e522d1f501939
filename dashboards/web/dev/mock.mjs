// Serves the built page and a made-up machine under the agent's routes and headers: `npm run mock -- --scenario full`.
//
// It takes the agent's `--web.listen-address`, so the browser test can run it in place of the agent.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { makeMachine } from "./machine.mjs";
import { makeServices } from "./services.mjs";

const { values: options } = parseArgs({
  options: {
    "web.listen-address": { type: "string", default: "127.0.0.1:9205" },
    scenario: { type: "string", default: "usual" },
    interval: { type: "string", default: "1" },
    "history-seconds": { type: "string", default: "3600" },
  },
});
const interval = Number(options.interval);
const [host, port] = options["web.listen-address"].split(":");

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/app.css": ["app.css", "text/css; charset=utf-8"],
  "/favicon.svg": ["favicon.svg", "image/svg+xml"],
};

const sample = makeMachine(options.scenario, interval);
const remembered = [];
const keep = (message, at) => {
  remembered.push([at / 1000, message.metrics]);
  if (remembered.length > 3700) remembered.shift();
};
const now = Date.now();
for (let ago = Number(options["history-seconds"]); ago > 0; ago -= interval) {
  const at = now - ago * 1000;
  // Ten minutes ago the machine slept for two: the charts must show it.
  const asleep = ago < 600 && ago > 480;
  const message = sample(at);
  if (!asleep) keep(message, at);
}
let latest = sample();
keep(latest, Date.now());
const services = makeServices(options.scenario, interval);
/** The newest message of each feed, by its name; a feed without one is silent and its twin answers 503. */
let messages = { system: latest, ...services() };

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  response.setHeader("content-security-policy", POLICY);
  response.setHeader("x-content-type-options", "nosniff");
  if (url.pathname === "/api/system/history") return json(response, history(url.searchParams.get("window") ?? "15m"));
  const message = messages[/^\/api\/(\w+)$/.exec(url.pathname)?.[1]];
  if (message) return json(response, message);
  const file = FILES[url.pathname];
  if (!file) {
    response.statusCode = 404;
    return json(response, {
      error: { code: "not_found", message: `${url.pathname} is not here.`, hint: "", retry_after_s: null },
    });
  }
  response.setHeader("content-type", file[1]);
  response.end(await readFile(new URL(`../dist/${file[0]}`, import.meta.url)));
});
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  const name = /^\/ws\/(\w+)$/.exec(request.url.split("?")[0])?.[1];
  if (!(name in messages)) return socket.destroy();
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.feed = name;
    if (messages[name]) client.send(JSON.stringify(messages[name]));
  });
});

setInterval(() => {
  latest = sample();
  keep(latest, Date.now());
  messages = { system: latest, ...services() };
  const texts = Object.fromEntries(Object.entries(messages).map(([name, message]) => [name, JSON.stringify(message)]));
  for (const client of sockets.clients) if (messages[client.feed]) client.send(texts[client.feed]);
}, interval * 1000);

server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));

function history(window) {
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(window) ?? [null, "15", "m"];
  const seconds = Number(number) * { s: 1, m: 60, h: 3600 }[unit];
  const rows = remembered.filter(([time]) => time >= Date.now() / 1000 - seconds);
  const column = (take) => rows.map(([, metrics]) => take(metrics) ?? null);
  const MiB = 1024 * 1024;
  const rate = (value) => (value === undefined ? null : value * MiB);
  return {
    window_seconds: seconds,
    step_seconds: interval,
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

function json(response, body) {
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.end(JSON.stringify(body));
}
