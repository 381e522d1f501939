// The page in a real browser against the real agent: `AURA_BIN=target/release/aura node --test tests/browser/`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Agent, missingAgent } from "./agent.mjs";
import { skipWithout, until, Visit } from "./visit.mjs";

describe("the overview", { skip: skipWithout(missingAgent()), timeout: 600_000 }, () => {
  let agent;
  const visit = new Visit(() => agent);

  before(async () => {
    agent = await Agent.start();
  });
  after(() => agent?.kill());

  test("is live, with charts full of what the agent remembers, under a strict policy", async () => {
    const response = await visit.open();
    const policy = response.headers()["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await visit.state("Live");
    await visit.numbersChange();
    const highest = visit.page.locator("#cpu .legend td").last();
    await until("the chart to have points", async () => /\d/.test(await highest.textContent()));
    assert.ok(visit.asked.some((url) => url.includes("/api/system/history?window=900s")));
    assert.match(await visit.page.title(), /Aura$/);
    const painted = await visit.page.locator("#cpu canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value !== 0);
    });
    assert.ok(painted, "the CPU chart is empty");
  });

  test("says so when the agent dies, greys what is old, and recovers with it", async () => {
    await visit.open();
    await visit.state("Live");
    await visit.numbersChange();
    const number = visit.page.locator("#cpu .number");
    const colour = () => number.evaluate((element) => getComputedStyle(element).color);
    const fresh = await colour();

    visit.away = true;
    await agent.kill();
    await visit.state("Offline");
    await visit.page.locator("main.stale").waitFor({ timeout: 15_000 });
    assert.notEqual(await colour(), fresh, "an old number looks like a new one");
    assert.match(await visit.page.locator("[role=status]").textContent(), /does not answer/);
    const age = async () => Number.parseInt(await visit.page.locator(".age").textContent(), 10);
    const young = await age();
    await until("the age to grow", async () => (await age()) > young);
    const last = await visit.page.locator("#cpu, #memory, #network").allInnerTexts();
    assert.ok(
      last.every((text) => /\d/.test(text)),
      "the last known numbers are gone",
    );

    const seen = visit.asked.length;
    await agent.start();
    await visit.state("Live");
    visit.away = false;
    await visit.page.locator("main:not(.stale)").waitFor({ timeout: 15_000 });
    assert.equal(await colour(), fresh);
    await visit.numbersChange();
    assert.ok(
      visit.asked.slice(seen).some((url) => url.includes("/api/system/history")),
      "the charts were not filled up after the pause",
    );
  });

  test("polls while the socket is away", async () => {
    await visit.open({}, (tab) => tab.routeWebSocket("**/ws/system", (socket) => socket.close()));
    await visit.state("Polling");
    await until("numbers", async () => /\d/.test(await visit.page.locator("#memory .number").textContent()));
  });

  test("tells the age of the numbers although the reader's clock is wrong", async () => {
    for (const wrong of [-3_600_000, 3_600_000]) {
      await visit.open({}, (tab) =>
        tab.addInitScript((offset) => {
          const now = Date.now;
          Date.now = () => now() + offset;
        }, wrong),
      );
      await visit.state("Live");
      for (let times = 0; times < 3; times += 1) {
        await visit.numbersChange();
        assert.equal(await visit.page.locator("main.stale, .age").count(), 0);
      }
      if (wrong < 0) await visit.context.close();
    }
  });

  test("shows what the machine says as text, and what it does not say as unknown", async () => {
    const evil = "<img src=x onerror=alert(1)>";
    await visit.open({}, async (tab) => {
      await tab.routeWebSocket("**/ws/system", (socket) => socket.close());
      await tab.route("**/api/system", async (route) => {
        const response = await route.fetch();
        const update = await response.json();
        const process = { pid: 4, name: evil, user: evil, cpu_percent: null, memory_bytes: 5 };
        update.metrics.processes = { total: 1, running: null, blocked: 0, top_cpu: [process], top_memory: [process] };
        update.metrics.cpu.usage_percent = null;
        update.metrics.disk.filesystems = [
          { device: evil, mountpoint: evil, fstype: evil, readonly: true, error: evil },
        ];
        update.metrics.disk.devices = [];
        update.metrics.disk.io = null;
        update.missing = {
          ...update.missing,
          "disk.devices": { reason: "unreadable", detail: evil },
          "disk.io": { reason: "unreadable", detail: evil },
        };
        const source = { name: evil, state: "stale", reason: "unreachable", detail: evil, age_seconds: null };
        update.sources = [{ ...source, interval_seconds: 1 }];
        update.alerts = [{ name: evil, severity: "critical", value: 4, threshold: 3, unit: evil, since: "never" }];
        await route.fulfill({ response, json: update });
      });
    });
    await visit.state("Polling");
    await visit.page.locator("#processes tbody tr").waitFor();
    assert.equal(await visit.page.locator("main img").count(), 0);
    for (const place of ["#processes tbody", "#filesystems tbody", "#sources tbody", ".alerts"]) {
      assert.ok((await visit.page.locator(place).textContent()).includes(evil.slice(1)), place);
    }
    assert.equal(await visit.page.locator("#cpu .number").first().textContent(), "–");
    assert.match(await visit.page.locator("#processes tbody").textContent(), /–5\sB$/);
    assert.match(await visit.page.locator("#disk, .absent").first().textContent(), /Unreadable/);
  });

  test("fits a phone", async () => {
    for (const width of [390, 320]) {
      await visit.open({ viewport: { width, height: 844 }, hasTouch: true, isMobile: true });
      await visit.state("Live");
      await visit.fits(width);
      if (width === 390) await visit.context.close();
    }
  });

  test("follows the system's colours until the reader chooses, and remembers the choice", async () => {
    await visit.open({ colorScheme: "light" });
    await visit.state("Live");
    const ground = () => visit.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await visit.page.emulateMedia({ colorScheme: "dark" });
    const dark = await ground();
    assert.notEqual(light, dark);
    const button = visit.page.getByRole("button", { name: /colours/i });
    await button.click();
    assert.match(await button.textContent(), /light/);
    assert.equal(await ground(), light);
    await visit.page.reload();
    await visit.state("Live");
    assert.equal(await ground(), light);
  });

  test("looks back as far as the reader asks", async () => {
    await visit.open();
    await visit.state("Live");
    await visit.page.getByRole("button", { name: "1h" }).click();
    await until("an hour", async () => visit.asked.some((url) => url.includes("/api/system/history?window=3600s")));
    await visit.page.reload();
    assert.equal(await visit.page.getByRole("button", { name: "1h" }).getAttribute("aria-pressed"), "true");
    await until(
      "an hour after a reload",
      async () => visit.asked.filter((url) => url.includes("window=3600s")).length > 1,
    );
  });

  test("can be read and worked without eyes or mouse", async () => {
    for (const colorScheme of ["light", "dark"]) {
      await visit.open({ colorScheme });
      await visit.state("Live");
      await visit.numbersChange();
      assert.deepEqual(await visit.violations(), []);

      const stops = [];
      for (let presses = 0; presses < 8; presses += 1) {
        await visit.page.keyboard.press("Tab");
        stops.push(
          await visit.page.evaluate(() => {
            const element = document.activeElement;
            return { name: element.textContent.trim(), outline: getComputedStyle(element).outlineStyle };
          }),
        );
      }
      assert.match(stops[0].name, /^Skip/);
      const names = stops.map(({ name }) => name);
      for (const wanted of ["5m", "15m", "1h", "CPU", "memory"]) assert.ok(names.includes(wanted), `${names}`);
      for (const { name, outline } of stops.slice(0, 7)) assert.notEqual(outline, "none", `${name} hides its focus`);
      if (colorScheme === "light") await visit.context.close();
    }
  });
});
