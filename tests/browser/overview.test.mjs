// The page in a real browser against the real agent: `AURA_BIN=target/release/aura node --test tests/browser/`.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { hasChromium, launch } from "../../dashboards/web/dev/chromium.mjs";
import { Agent, missingAgent } from "./agent.mjs";

const axe = createRequire(new URL("../../dashboards/web/package.json", import.meta.url)).resolve("axe-core/axe.min.js");
const results = fileURLToPath(new URL("results/", import.meta.url));

const missing = hasChromium() ? missingAgent() : "chromium";
const strict = Boolean(process.env.CI || process.env.AURA_TEST_STRICT);
if (missing && strict) throw new Error(`the browser tests need ${missing}`);
if (missing) console.log(`skipped: needs ${missing}`);

describe("the overview", { skip: missing ? `needs ${missing}` : false, timeout: 180_000 }, () => {
  let agent;
  let browser;
  let context;
  let page;
  /** What the browser complained about, but for an agent that is known to be away. */
  let complaints;
  let asked;
  let away;

  before(async () => {
    agent = await Agent.start();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await agent?.kill();
  });

  async function open(options = {}, prepare = async () => {}) {
    complaints = [];
    asked = [];
    away = false;
    context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
    page = await context.newPage();
    const connection = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_SOCKET|WebSocket connection|^history:/;
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (!(away && connection.test(message.text()))) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => asked.push(request.url()));
    page.on("websocket", (socket) => asked.push(socket.url().replace(/^ws/, "http")));
    await prepare(page);
    return page.goto(agent.address);
  }

  /** Ends a test: nothing that the browser complained about, nobody else asked for anything. */
  afterEach(async (current) => {
    if (!page) return;
    if (!current.passed) {
      await mkdir(results, { recursive: true });
      await page.screenshot({ path: `${results}${current.name.replace(/\W+/g, "-")}.png` });
    }
    await context.close();
    page = null;
    assert.deepEqual(complaints, [], "the browser complained");
    const foreign = asked.filter((url) => !url.startsWith(`${agent.address}/`) && !url.startsWith("data:"));
    assert.deepEqual(foreign, [], "the page asked somebody else");
  });

  const state = (name) => page.locator(".pill", { hasText: name }).waitFor({ timeout: 45_000 });
  const numbers = () => page.locator("#cpu, #memory, #network").allInnerTexts();
  async function numbersChange() {
    const before = await numbers();
    await until("a number to change", async () => String(await numbers()) !== String(before));
  }

  test("is live, with charts full of what the agent remembers, under a strict policy", async () => {
    const response = await open();
    const policy = response.headers()["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await state("Live");
    await numbersChange();
    const highest = page.locator("#cpu .legend td").last();
    await until("the chart to have points", async () => /\d/.test(await highest.textContent()));
    assert.ok(asked.some((url) => url.includes("/api/system/history?window=900s")));
    assert.match(await page.title(), /Aura$/);
    const painted = await page.locator("#cpu canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value !== 0);
    });
    assert.ok(painted, "the CPU chart is empty");
  });

  test("says so when the agent dies, greys what is old, and recovers with it", async () => {
    await open();
    await state("Live");
    await numbersChange();
    const number = page.locator("#cpu .number");
    const colour = () => number.evaluate((element) => getComputedStyle(element).color);
    const fresh = await colour();

    away = true;
    await agent.kill();
    await state("Offline");
    await page.locator("main.stale").waitFor({ timeout: 15_000 });
    assert.notEqual(await colour(), fresh, "an old number looks like a new one");
    assert.match(await page.locator("[role=status]").textContent(), /does not answer/);
    const age = async () => Number.parseInt(await page.locator(".age").textContent(), 10);
    const young = await age();
    await until("the age to grow", async () => (await age()) > young);
    const last = await numbers();
    assert.ok(
      last.every((text) => /\d/.test(text)),
      "the last known numbers are gone",
    );

    const seen = asked.length;
    await agent.start();
    await state("Live");
    away = false;
    await page.locator("main:not(.stale)").waitFor({ timeout: 15_000 });
    assert.equal(await colour(), fresh);
    await numbersChange();
    assert.ok(
      asked.slice(seen).some((url) => url.includes("/api/system/history")),
      "the charts were not filled up after the pause",
    );
  });

  test("polls while the socket is away", async () => {
    await open({}, (page) => page.routeWebSocket("**/ws/system", (socket) => socket.close()));
    await state("Polling");
    await until("numbers", async () => /\d/.test(await page.locator("#memory .number").textContent()));
  });

  test("tells the age of the numbers although the reader's clock is wrong", async () => {
    for (const wrong of [-3_600_000, 3_600_000]) {
      await open({}, (page) =>
        page.addInitScript((offset) => {
          const now = Date.now;
          Date.now = () => now() + offset;
        }, wrong),
      );
      await state("Live");
      for (let times = 0; times < 3; times += 1) {
        await numbersChange();
        assert.equal(await page.locator("main.stale, .age").count(), 0);
      }
      if (wrong < 0) await context.close();
    }
  });

  test("shows what the machine says as text, and what it does not say as unknown", async () => {
    const evil = "<img src=x onerror=alert(1)>";
    await open({}, async (page) => {
      await page.routeWebSocket("**/ws/system", (socket) => socket.close());
      await page.route("**/api/system", async (route) => {
        const response = await route.fetch();
        const update = await response.json();
        const process = { pid: 4, name: evil, user: evil, cpu_percent: null, memory_bytes: null };
        update.metrics.processes = { total: 1, running: null, blocked: 0, top_cpu: [process], top_memory: [process] };
        update.metrics.memory.percent = null;
        update.metrics.disk.filesystems = [
          { device: evil, mountpoint: evil, fstype: evil, readonly: true, error: evil },
        ];
        update.metrics.disk.devices = null;
        update.missing = { ...update.missing, "disk.devices": { reason: "unreadable", detail: evil } };
        update.sources = [{ name: evil, state: "stale", reason: "unreachable", detail: evil, age_seconds: null }];
        update.alerts = [{ name: evil, severity: "critical", value: null, threshold: 3, unit: evil, since: "never" }];
        await route.fulfill({ response, json: update });
      });
    });
    await state("Polling");
    await page.locator("#processes tbody tr").waitFor();
    assert.equal(await page.locator("main img").count(), 0);
    for (const place of ["#processes tbody", "#filesystems tbody", "#sources tbody", ".alerts"]) {
      assert.ok((await page.locator(place).textContent()).includes(evil.slice(1)), place);
    }
    assert.equal(await page.locator("#memory .number").textContent(), "–");
    assert.match(await page.locator("#processes tbody").textContent(), /––$/);
    assert.match(await page.locator("#disk, .absent").first().textContent(), /Unreadable/);
  });

  test("fits a phone", async () => {
    for (const width of [390, 320]) {
      await open({ viewport: { width, height: 844 }, hasTouch: true, isMobile: true });
      await state("Live");
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= width && screen <= width, `${content} px of content on ${width} px`);
      if (width === 390) await context.close();
    }
  });

  test("follows the system's colours until the reader chooses, and remembers the choice", async () => {
    await open({ colorScheme: "light" });
    await state("Live");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await ground();
    assert.notEqual(light, dark);
    const button = page.getByRole("button", { name: /colours/i });
    await button.click();
    assert.match(await button.textContent(), /light/);
    assert.equal(await ground(), light);
    await page.reload();
    await state("Live");
    assert.equal(await ground(), light);
  });

  test("looks back as far as the reader asks", async () => {
    await open();
    await state("Live");
    await page.getByRole("button", { name: "1h" }).click();
    await until("an hour", async () => asked.some((url) => url.includes("/api/system/history?window=3600s")));
    await page.reload();
    assert.equal(await page.getByRole("button", { name: "1h" }).getAttribute("aria-pressed"), "true");
    await until("an hour after a reload", async () => asked.filter((url) => url.includes("window=3600s")).length > 1);
  });

  test("can be read and worked without eyes or mouse", async () => {
    for (const colorScheme of ["light", "dark"]) {
      await open({ colorScheme });
      await state("Live");
      await numbersChange();
      await page.evaluate(await readFile(axe, "utf8"));
      const violations = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
        return violations.map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map((node) => node.html)
              .slice(0, 3)
              .join(" ")}`,
        );
      });
      assert.deepEqual(violations, []);

      const stops = [];
      for (let presses = 0; presses < 8; presses += 1) {
        await page.keyboard.press("Tab");
        stops.push(
          await page.evaluate(() => {
            const element = document.activeElement;
            return { name: element.textContent.trim(), outline: getComputedStyle(element).outlineStyle };
          }),
        );
      }
      assert.match(stops[0].name, /^Skip/);
      const names = stops.map(({ name }) => name);
      for (const wanted of ["5m", "15m", "1h", "CPU", "memory"]) assert.ok(names.includes(wanted), `${names}`);
      for (const { name, outline } of stops.slice(0, 7)) assert.notEqual(outline, "none", `${name} hides its focus`);
      if (colorScheme === "light") await context.close();
    }
  });
});

/** Waits for a condition; says what it was when it does not come. */
async function until(what, condition, limit = 20_000) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limit / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
