// A browser that looks at one page in each test, and what it noticed: complaints, and whom the page asked.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before } from "node:test";
import { fileURLToPath } from "node:url";
import { hasChromium, launch } from "../../dashboards/web/dev/chromium.mjs";

const axe = createRequire(new URL("../../dashboards/web/package.json", import.meta.url)).resolve("axe-core/axe.min.js");
const results = fileURLToPath(new URL("results/", import.meta.url));

/** The `skip` of a suite that needs a browser and what else is missing, by name; in strict runs nothing may be missing. */
export function skipWithout(needed) {
  const missing = hasChromium() ? needed : "chromium";
  const strict = Boolean(process.env.CI || process.env.AURA_TEST_STRICT);
  if (missing && strict) throw new Error(`the browser tests need ${missing}`);
  if (missing) console.log(`skipped: needs ${missing}`);
  return missing ? `needs ${missing}` : false;
}

/** To be called in a suite: one browser for it, and after each test nothing that it complained about, nobody else asked. */
export class Visit {
  page;
  context;
  /** What the page asked for, feeds as http addresses. */
  asked;
  /** The agent is known to be away: failed connections are no complaint. */
  away;
  /** Complaints that the test wants. */
  expected;
  #complaints;
  #browser;
  #agent;

  /** `agent` gives the agent whose page is visited, once it runs. */
  constructor(agent) {
    this.#agent = agent;
    before(async () => {
      this.#browser = await launch();
    });
    after(() => this.#browser?.close());
    afterEach((test) => this.#judge(test));
  }

  async open(options = {}, prepare = async () => {}) {
    this.#complaints = [];
    this.asked = [];
    this.away = false;
    this.expected = null;
    this.context = await this.#browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
    const page = await this.context.newPage();
    this.page = page;
    const connection = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_SOCKET|WebSocket connection|^history:/;
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (this.away && connection.test(message.text())) return;
      if (!this.expected?.test(message.text())) this.#complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.#complaints.push(String(error)));
    page.on("request", (request) => this.asked.push(request.url()));
    page.on("websocket", (socket) => this.asked.push(socket.url().replace(/^ws/, "http")));
    await prepare(page);
    return page.goto(this.#agent().address);
  }

  /** Waits for what the pill on top says. */
  state(name) {
    return this.page.locator(".pill", { hasText: name }).waitFor({ timeout: 45_000 });
  }

  text(selector) {
    return this.page.locator(selector).first().textContent();
  }

  async numbersChange() {
    const numbers = async () => String(await this.page.locator("#cpu, #memory, #network").allInnerTexts());
    const before = await numbers();
    await until("a number to change", async () => (await numbers()) !== before);
  }

  /** What stands in the way of readers without eyes or with weak ones. */
  async violations() {
    await this.page.evaluate(await readFile(axe, "utf8"));
    return this.page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      const where = (nodes) => nodes.slice(0, 3).map((node) => node.html);
      return violations.map(({ id, nodes }) => `${id}: ${where(nodes).join(" ")}`);
    });
  }

  async fits(width) {
    const [content, screen] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= width && screen <= width, `${content} px of content on ${width} px`);
  }

  async #judge(test) {
    const page = this.page;
    if (!page) return;
    this.page = null;
    if (!test.passed) {
      await mkdir(results, { recursive: true });
      await page.screenshot({ path: `${results}${test.name.replace(/\W+/g, "-")}.png`, fullPage: true });
    }
    await this.context.close();
    assert.deepEqual(this.#complaints, [], "the browser complained");
    const foreign = this.asked.filter(
      (url) => !url.startsWith(`${this.#agent().address}/`) && !url.startsWith("data:"),
    );
    assert.deepEqual(foreign, [], "the page asked somebody else");
  }
}

/** Waits for a condition; says what it was when it does not come. */
export async function until(what, condition, limit = 30_000) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limit / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
