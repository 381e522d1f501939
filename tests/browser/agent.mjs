// Starts, kills and starts again the agent that the browser looks at, and the Ollama that the agent looks at.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const BINARY = process.env.AURA_BIN ?? fileURLToPath(new URL("../../target/release/aura", import.meta.url));
const MOCK = fileURLToPath(new URL("../../dashboards/web/dev/mock.mjs", import.meta.url));
const SIMULATOR = join(dirname(BINARY), "aura-ollama-simulator");
const START_LIMIT = 30_000;
const ANSWER_LIMIT = 3_000;

/** Why there is no agent to test, or null. `AURA_BIN=mock` tests the page alone, against a made-up machine. */
export function missingAgent() {
  return BINARY === "mock" || existsSync(BINARY) ? null : `the agent's binary at ${BINARY}; build it or set AURA_BIN`;
}

/** Why the other sources cannot be tested with the real agent, or null. */
export function missingServers() {
  if (BINARY === "mock") return "the real agent";
  return (
    missingAgent() ?? (existsSync(SIMULATOR) ? null : `the simulator at ${SIMULATOR}; build aura-ollama-simulator`)
  );
}

/** A program that listens on an address of its own, can be killed, and comes back there. */
class Server {
  #port;
  #command;
  #process = null;
  #said = "";

  constructor(command, port) {
    this.#command = command;
    this.#port = port;
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it and waits until it answers. */
  async start() {
    const [program, ...rest] = this.#command(`127.0.0.1:${this.#port}`);
    const folder = await mkdtemp(join(tmpdir(), "aura-browser-"));
    this.#process = spawn(program, rest, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on("data", (data) => {
        this.#said = (this.#said + data).slice(-20_000);
      });
    }
    const until = Date.now() + START_LIMIT;
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null || Date.now() > until) {
        throw new Error(`${program} ${rest.join(" ")} does not answer on ${this.address}. It said:\n${this.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this;
  }

  /** Ends it as a crash would: no goodbye to anybody. */
  async kill() {
    const process = this.#process;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGKILL");
    await ended;
  }

  async #answers() {
    try {
      const signal = AbortSignal.timeout(ANSWER_LIMIT);
      const response = await fetch(`${this.address}${this.probe}`, { signal });
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }
}

/** The agent, or with `scenario` always the made-up machine. */
export class Agent extends Server {
  probe = "/api/system";

  static async start({ config, scenario } = {}) {
    const made = BINARY === "mock" || scenario;
    const command = made ? [process.execPath, MOCK, "--scenario", scenario ?? "usual"] : [BINARY];
    if (config && !made) {
      const file = join(await mkdtemp(join(tmpdir(), "aura-browser-")), "aura.json");
      await writeFile(file, JSON.stringify(config));
      command.push("--config.file", file);
    }
    const listen = (address) => [...command, "--web.listen-address", address];
    return new Agent(listen, await freePort()).start();
  }

  /** The answer of the REST twin of a feed. */
  async twin(name) {
    return (await fetch(`${this.address}/api/${name}`)).json();
  }
}

/** Answers as Ollama does. */
export class Ollama extends Server {
  probe = "/api/version";

  static async start() {
    return new Ollama((address) => [SIMULATOR, address], await freePort()).start();
  }

  async load(model) {
    const response = await fetch(`${this.address}/api/generate`, { method: "POST", body: JSON.stringify({ model }) });
    if (!response.ok) throw new Error(`${model} was not loaded: ${await response.text()}`);
  }
}

/** A port below those that systems give away by themselves: it is still free when a server that was killed wants it back. */
async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const server = createServer();
    const free = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
