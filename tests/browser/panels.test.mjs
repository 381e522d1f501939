// The panels of the other sources: over the real agent with a simulated Ollama, logs and roles, and over the made-up machine.

import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Agent, missingServers, Ollama } from "./agent.mjs";
import { skipWithout, until, Visit } from "./visit.mjs";

const GiB = 1024 ** 3;
/** As the page writes numbers, but for the width of the spaces. */
const plain = (text) => text.replaceAll("\u202f", " ");
const gibibytes = (bytes) => `${(bytes / GiB).toPrecision(3)} GiB`;

/** A page that runs what it is shown would set this. */
const EVIL = `<img src=x onerror="owned=1"><script>owned=1</script>`;
async function assertHarmless(page) {
  assert.equal(await page.locator("main img, main script, main iframe").count(), 0, "text became an element");
  assert.equal(await page.evaluate(() => globalThis.owned), undefined, "text became a program");
}

describe("the panels over the real agent", { skip: skipWithout(missingServers()), timeout: 600_000 }, () => {
  let agent;
  let ollama;
  let root;
  const visit = new Visit(() => agent);
  const log = (entry) => appendFile(join(root, "logs/security_audit.jsonl"), `${JSON.stringify(entry)}\n`);
  const event = (event_type, more) => ({ timestamp: new Date().toISOString(), event_type, ...more });

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "aura-installation-"));
    await mkdir(join(root, "logs"));
    await mkdir(join(root, "ops/role_engine"), { recursive: true });
    const priority = (priority) => ({ scoring_profile: { priority } });
    const registry = { meta: {}, roles: { planner: priority(8), coder: priority(6), [EVIL]: priority(6) } };
    await writeFile(join(root, "ops/role_engine/role_registry_v2.json"), JSON.stringify(registry));
    await log(event("rate_limited", { user: "mira" }));
    ollama = await Ollama.start();
    await ollama.load("phi3.5:3.8b");
    const sources = {
      gpu: { enabled: false },
      postgres: { enabled: false },
      ollama: { hosts: [ollama.address] },
      audit: { roots: [root] },
      roles: { roots: [root] },
    };
    agent = await Agent.start({ config: { sources } });
  });
  after(async () => {
    await agent?.kill();
    await ollama?.kill();
    await rm(root, { recursive: true });
  });

  test("show what the REST twins say, and follow it", async () => {
    await visit.open();
    const { page } = visit;
    const row = page.locator("#models tbody tr", { hasText: "phi3.5:3.8b" }).first();
    await row.waitFor();
    const twin = await agent.twin("models");
    const [model] = twin.loaded_models;
    assert.ok(plain(await row.textContent()).includes(gibibytes(model.memory_usage)));
    const note = plain(await visit.text("#models .note"));
    const disk = twin.installed_models.reduce((sum, { size }) => sum + size, 0);
    assert.equal(note, `${twin.installed_models.length} installed, ${gibibytes(disk)} on disk`);
    const left = () => row.locator("td").last().textContent();
    const before = await left();
    await until("the model to be nearer to its end", async () => (await left()) !== before);

    await ollama.load("llama3.1:8b");
    await page.locator("#models table", { hasText: "In memory" }).getByText("llama3.1:8b").waitFor();
    const figures = page.locator("#models .figure");
    await until("both to be counted", async () => {
      const { loaded_models, memory_usage } = await agent.twin("models");
      const [loaded, vram] = (await figures.allInnerTexts()).map((text) => plain(text).replace(/\s+/g, " "));
      return loaded === `loaded ${loaded_models.length}` && vram === `VRAM ${gibibytes(memory_usage.vram_gb * GiB)}`;
    });

    const { roles } = await agent.twin("governance");
    assert.match(await visit.text("#roles .figure"), new RegExp(`^roles\\s*${roles.roles.length}$`));
    assert.deepEqual(await page.locator("#roles .measures > div").allInnerTexts(), ["8\n1", "6\n2"]);
  });

  test("show new events as text, the newest first", async () => {
    await visit.open();
    await visit.page.locator("#audit tbody tr").first().waitFor();
    await log(event("tool_failure", { tool: EVIL, error: EVIL, actor: EVIL }));
    await log(event(EVIL, { actor: EVIL, message: EVIL }));
    const rows = visit.page.locator("#audit tbody tr");
    await until(
      "the events",
      async () => (await rows.allInnerTexts()).filter((row) => row.includes("onerror")).length >= 2,
    );
    await until("the page to show what the twin does", async () => {
      const { audit_logs } = await agent.twin("governance");
      const shown = await rows.locator("td:last-child").allInnerTexts();
      return String(shown) === String(audit_logs.slice(0, 8).map(({ summary }) => summary.replace(/\s+/g, " ").trim()));
    });
    await assertHarmless(visit.page);
  });

  test("say when Ollama goes away and when it is back, and leave the others alone", async () => {
    await visit.open();
    const servers = visit.page.locator("#models [aria-label=Servers]");
    await servers.getByText("answering").waitFor();
    await ollama.kill();
    await servers.getByText("away").waitFor({ timeout: 30_000 });
    assert.match(await servers.textContent(), /Unreachable: /);
    assert.equal(await visit.page.locator("#models .figure .number").first().textContent(), "–");
    await visit.numbersChange();
    assert.equal(await visit.page.locator("main.stale, #audit.stale").count(), 0);
    await ollama.start();
    await servers.getByText("answering").waitFor({ timeout: 30_000 });
    await ollama.load("phi3.5:3.8b");
    await visit.page.locator("#models table", { hasText: "In memory" }).getByText("phi3.5:3.8b").waitFor();
  });

  test("say why they are empty and what to do, and ask for no feed then", async () => {
    await visit.open();
    await visit.page.locator("#roles .number").first().waitFor();
    const { sources } = await agent.twin("system");
    for (const [id, help] of [
      ["gpu", /driver/],
      ["postgres", /sources\.postgres\.servers/],
    ]) {
      const { state, detail } = sources.find(({ name }) => name === id);
      assert.equal(state, "off");
      const text = await visit.text(`#${id} .empty`);
      assert.ok(text.includes(detail), text);
      assert.match(text, help);
    }
    const asked = visit.asked.filter((url) => /\/ws\//.test(url)).map((url) => url.split("/").at(-1));
    assert.deepEqual(asked.sort(), ["governance", "models", "system"]);
  });

  test("tell their age while their feed is away, and poll", async () => {
    await visit.open({}, (page) => page.routeWebSocket("**/ws/models", (socket) => socket.close()));
    await visit.state("Live");
    const banner = visit.page.locator("#models .banner");
    await banner.waitFor({ timeout: 30_000 });
    assert.match(await banner.textContent(), /\d\ss old.*asked every 10 seconds/s);
    assert.equal(await visit.page.locator("#roles .banner").count(), 0);
    assert.ok(visit.asked.some((url) => url.endsWith("/api/models")));
  });

  test("come back with the agent", async () => {
    await visit.open();
    await visit.page.locator("#models tbody tr").first().waitFor();
    visit.away = true;
    await agent.kill();
    await visit.page.locator("#models.stale .banner").waitFor({ timeout: 30_000 });
    await visit.page.locator("#audit.stale .banner").waitFor({ timeout: 30_000 });
    await agent.start();
    await visit.page.locator("#models:not(.stale)").waitFor({ timeout: 60_000 });
    await visit.page.locator("#audit:not(.stale)").waitFor({ timeout: 60_000 });
    await visit.state("Live");
    visit.away = false;
    await visit.numbersChange();
  });
});

describe("the panels over the made-up machine", { skip: skipWithout(null), timeout: 600_000 }, () => {
  let agent;
  const visit = new Visit(() => agent);

  before(async () => {
    agent = await Agent.start({ scenario: "full" });
  });
  after(() => agent?.kill());

  const panels = async () => {
    for (const id of ["gpu", "models", "postgres", "roles", "audit"])
      await visit.page.locator(`#${id} .number`).first().waitFor();
  };

  test("show the numbers of GPUs and databases that the REST twins have", async () => {
    await visit.open();
    await panels();
    const shown = async (id, label) => {
      const row = visit.page
        .locator(`#${id} .measures > div`)
        .filter({ has: visit.page.getByText(label, { exact: true }) });
      return plain(await row.first().locator("dd").textContent());
    };
    await until("the card's numbers", async () => {
      const [card] = (await agent.twin("system")).metrics.gpu;
      return (
        (await shown("gpu", "Use")) === `${card.load_percent.toFixed(1)} %` &&
        (await shown("gpu", "Power")) === `${card.power_watts.toFixed(0)} W of ${card.power_limit_watts} W`
      );
    });
    await until("the server's numbers", async () => {
      const { connections, activity } = (await agent.twin("database")).metrics;
      const { active, idle, idle_in_transaction, total, max } = connections;
      const rate = (activity.commits_per_second + activity.rollbacks_per_second).toFixed(1);
      return (
        (await shown("postgres", "Connections")) === `${total} of ${max}` &&
        (await shown("postgres", "Active, idle")) === `${active}, ${idle}, ${idle_in_transaction} in a transaction` &&
        (await shown("postgres", "Transactions")) === `${rate} a second`
      );
    });
    assert.match(await visit.text("#gpu .part:last-child"), /fell off the bus/);
    assert.match(await visit.text("#postgres .part:last-child"), /does not answer.*connection refused/s);
    assert.match(await visit.text("#postgres"), /Slow queries: Not configured: run: CREATE EXTENSION/);
  });

  test("draw the GPU live", async () => {
    await visit.open();
    await panels();
    const average = () => visit.page.locator("#gpu .legend tbody tr").first().textContent();
    const before = await average();
    await until("the chart to go on", async () => (await average()) !== before);
  });

  test("show every text of every feed as text", async () => {
    const codes = ["type", "sampled_at", "timestamp", "time", "state", "status", "trust_scale"];
    const poison = (value, key) => {
      if (typeof value === "string") return codes.includes(key) ? value : `${EVIL}${value}`;
      if (Array.isArray(value)) return value.map((item) => poison(item, key));
      if (!value || typeof value !== "object") return value;
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poison(item, name)]));
    };
    await visit.open({}, async (page) => {
      for (const feed of ["models", "database", "governance"]) {
        const text = JSON.stringify(poison(await agent.twin(feed)));
        await page.routeWebSocket(`**/ws/${feed}`, (socket) => socket.send(text));
      }
      const system = await agent.twin("system");
      system.metrics.gpu = poison(system.metrics.gpu);
      await page.routeWebSocket("**/ws/system", (socket) => socket.send(JSON.stringify(system)));
    });
    await panels();
    for (const id of ["gpu", "models", "postgres", "roles", "audit"])
      assert.ok((await visit.page.locator(`#${id}`).textContent()).includes(EVIL), id);
    await visit.page
      .getByRole("button", { name: /Show all/ })
      .first()
      .click();
    await assertHarmless(visit.page);
  });

  test("show what they understand of a message, and say on the console what they do not", async () => {
    const told = [];
    await visit.open({}, async (page) => {
      const twin = await agent.twin("models");
      const message = { ...twin, loaded_models: [null, ...twin.loaded_models], memory_usage: { current_gb: "much" } };
      await page.routeWebSocket("**/ws/models", (socket) => socket.send(JSON.stringify(message)));
      page.on("console", (line) => told.push(line.text()));
      visit.expected = /^model_update: .* was left out/;
    });
    await visit.page.locator("#models").getByText("llama3.1:8b").first().waitFor();
    await visit.page.locator("#postgres .number").first().waitFor();
    assert.deepEqual(told.map((line) => line.split(" was left out")[0]).sort(), [
      "model_update: loaded_models.0",
      "model_update: memory_usage.current_gb",
    ]);
    await visit.numbersChange();
  });

  test("cost themselves alone where one cannot be drawn, and come back when asked", async () => {
    const told = [];
    await visit.open({}, async (page) => {
      visit.expected = /^panel Processes: /;
      page.on("console", (line) => told.push(line.text()));
      // What this browser refuses to draw stands in one panel.
      await page.addInitScript(() => {
        const create = Document.prototype.createTextNode;
        Document.prototype.createTextNode = function (text) {
          if (String(text).startsWith("100 % is one whole CPU") && !globalThis.willing) throw new Error("refused");
          return create.call(this, text);
        };
      });
    });
    await panels();
    const broken = visit.page.locator("section", { hasText: "this page cannot show" });
    await broken.waitFor();
    assert.deepEqual(await broken.locator("h2").allTextContents(), ["Processes"]);
    await visit.numbersChange();
    assert.ok(
      told.some((line) => /^panel Processes: .*refused/s.test(line)),
      told.join("\n"),
    );

    await visit.page.evaluate(() => {
      globalThis.willing = true;
    });
    await broken.getByRole("button", { name: "Try again" }).click();
    await visit.page.locator("#processes tbody tr").first().waitFor();
    assert.equal(await broken.count(), 0);
  });

  test("fit a phone, and can be read in both colours", async () => {
    for (const width of [390, 320]) {
      await visit.open({ viewport: { width, height: 844 }, hasTouch: true, isMobile: true });
      await panels();
      await visit.fits(width);
      await visit.context.close();
    }
    for (const colorScheme of ["light", "dark"]) {
      await visit.open({ colorScheme });
      await panels();
      assert.deepEqual(await visit.violations(), []);
      if (colorScheme === "light") await visit.context.close();
    }
  });
});
