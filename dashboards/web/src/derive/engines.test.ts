import { describe, expect, it } from "vitest";
import type { LoadedModel, ModelUpdate, OllamaEngine } from "../contract/types";
import { UNKNOWN } from "../format/format";
import { part } from "../testing";
import { activity, age, energy, engineOf, problem, speed } from "./engines";

const plain = (text: string) => text.replaceAll("\u202f", " ");
const engine = (more: Partial<OllamaEngine>): OllamaEngine =>
  part({ host: "h:1", models: ["m", "alias"], orphaned: false, state: "ready", ...more });
const model = (name: string): LoadedModel => part({ host: "h:1", name });
const message = (more: Partial<ModelUpdate>): ModelUpdate => part({ type: "model_update", ...more });

describe("an engine", () => {
  it("is that of each name that it answers, on its own server, while its Ollama lives", () => {
    const here = engine({ pid: 1 });
    const engines = [engine({ host: "other:1" }), engine({ orphaned: true }), here];
    expect(engineOf(message({ engines }), model("alias"))).toBe(here);
    expect(engineOf(message({ engines }), model("stranger"))).toBeNull();
    expect(engineOf(message({ engines: null }), model("m"))).toBeNull();
  });

  it.each([
    [null, UNKNOWN],
    [engine({ slots_busy: null, tokens_per_second: 3 }), UNKNOWN],
    [engine({ slots_busy: 0, tokens_per_second: 0 }), "idle"],
    [engine({ slots_busy: 1, tokens_per_second: 18.24 }), "18.2"],
    [engine({ slots_busy: 1, tokens_per_second: null }), UNKNOWN],
  ])("says how fast it is: %#", (given, words) => {
    expect(speed(given)).toBe(words);
  });

  it.each([
    [
      { slots: 2, slots_busy: 1, context_length: 4096, context_used: 1200 },
      ["1 of 2 slots busy", "1 200 of 4 096 tokens held"],
    ],
    [{ slots: 1, slots_busy: 1 }, ["1 of 1 slot busy"]],
    [{ slots: 2, slots_busy: null, requests: 2 }, ["2 requests"]],
    [{ slots: 2, slots_busy: 0, requests: 0, tokens_per_second_minute: 7.25 }, ["7.3 tokens/s in the last minute"]],
    [{}, []],
  ])("says what it does: %o", (more, facts) => {
    expect(activity(engine(more)).map(plain)).toEqual(facts);
  });

  it("is worth a look when it has lost its Ollama or does not answer", () => {
    expect(problem(engine({}))).toBeNull();
    expect(problem(engine({ orphaned: true }))).toContain("its Ollama is gone");
    expect(problem(engine({ state: "hanging", detail: "no answer for 12 s" }))).toBe("no answer for 12 s");
    expect(problem(engine({ state: "stopped", detail: null }))).toBe("it was stopped");
  });

  it("has an age by the clock of its machine", () => {
    const update = message({ timestamp: "2026-11-27T12:00:00Z" });
    expect(plain(age(engine({ started_at: "2026-11-27T11:58:30Z" }), update))).toBe("1 min 30 s");
  });
});

describe("energy", () => {
  const measured = (more: object) =>
    message({ energy: part({ currency: "EUR", models: [{ host: "h:1", model: "m", ...more }] }) });
  it("is said once it was measured, with its price where there is one", () => {
    expect(energy(message({ energy: null }), model("m"))).toBeNull();
    expect(energy(measured({ watt_hours_per_1000_tokens: null }), model("m"))).toBeNull();
    expect(energy(measured({ watt_hours_per_1000_tokens: 0.4213 }), model("m"))).toBe("0.42 Wh for 1000 tokens");
    expect(energy(measured({ watt_hours_per_1000_tokens: 12.34, cost_per_1000_tokens: 0.000456 }), model("m"))).toBe(
      "12 Wh, 0.00046 EUR for 1000 tokens",
    );
  });
});
