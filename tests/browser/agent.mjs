// Starts, kills and starts again the agent that the browser looks at.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BINARY = process.env.AURA_BIN ?? fileURLToPath(new URL("../../target/release/aura", import.meta.url));
const MOCK = fileURLToPath(new URL("../../dashboards/web/dev/mock.mjs", import.meta.url));
const START_LIMIT = 20_000;

/** Why there is no agent to test, or null. `AURA_BIN=mock` tests the page alone, against a made-up machine. */
export function missingAgent() {
  return BINARY === "mock" || existsSync(BINARY) ? null : `the agent's binary at ${BINARY}; build it or set AURA_BIN`;
}

export class Agent {
  #port;
  #process = null;
  #said = "";

  static async start() {
    const agent = new Agent();
    agent.#port = await freePort();
    await agent.start();
    return agent;
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it on the address that it had before, and waits until it answers. */
  async start() {
    const listen = ["--web.listen-address", `127.0.0.1:${this.#port}`];
    const [command, ...rest] = BINARY === "mock" ? [process.execPath, MOCK, ...listen] : [BINARY, ...listen];
    const folder = await mkdtemp(join(tmpdir(), "aura-browser-"));
    this.#process = spawn(command, rest, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on("data", (data) => {
        this.#said = (this.#said + data).slice(-20_000);
      });
    }
    const until = Date.now() + START_LIMIT;
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null || Date.now() > until) {
        throw new Error(`${command} ${rest.join(" ")} does not answer on ${this.address}. It said:\n${this.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
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
      const response = await fetch(`${this.address}/api/system`);
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
