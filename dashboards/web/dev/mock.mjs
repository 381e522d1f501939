// Serves the built page and a made-up machine under the agent's routes and headers: `npm run mock -- --scenario full`.
//
// It takes the agent's `--web.listen-address`, so the browser test can run it in place of the agent.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { makeRoutes } from "./routes.mjs";

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

const routes = makeRoutes(options.scenario, interval, Number(options["history-seconds"]));

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  response.setHeader("content-security-policy", POLICY);
  response.setHeader("x-content-type-options", "nosniff");
  const file = FILES[url.pathname];
  if (!file) {
    const [status, body] = routes.answer(url);
    response.writeHead(status, { "content-type": "application/json" });
    return response.end(JSON.stringify(body));
  }
  response.setHeader("content-type", file[1]);
  response.end(await readFile(new URL(`../dist/${file[0]}`, import.meta.url)));
});
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  const name = /^\/ws\/(\w+)$/.exec(request.url.split("?")[0])?.[1];
  if (!(name in routes.messages)) return socket.destroy();
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.feed = name;
    if (routes.messages[name]) client.send(JSON.stringify(routes.messages[name]));
  });
});

setInterval(() => {
  routes.next();
  const texts = Object.entries(routes.messages).map(([name, message]) => [name, message && JSON.stringify(message)]);
  const newest = Object.fromEntries(texts);
  for (const client of sockets.clients) if (newest[client.feed]) client.send(newest[client.feed]);
}, interval * 1000);

server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
