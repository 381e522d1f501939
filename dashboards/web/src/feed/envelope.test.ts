import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDatabase } from "./database";
import { sampledAt } from "./envelope";
import { parseGovernance } from "./governance";
import { parseUpdate } from "./message";
import { parseModels } from "./models";

const PARSERS = {
  system_update: parseUpdate,
  model_update: parseModels,
  database_update: parseDatabase,
  governance_update: parseGovernance,
};
const types = Object.keys(PARSERS) as (keyof typeof PARSERS)[];

describe("a feed's messages", () => {
  it("are taken by their own feed alone", () => {
    for (const type of types) {
      const text = JSON.stringify({ type, seq: 1, sampled_at: "2026-11-23T06:00:00.123Z", metrics: {} });
      expect(types.filter((other) => PARSERS[other](text))).toEqual([type]);
    }
  });

  it("of governance begin with a greeting", () => {
    expect(parseGovernance(JSON.stringify({ type: "governance_init", seq: 1, sampled_at: null }))?.seq).toBe(1);
  });

  it("may have no time but those of the host, and never a wrong one", () => {
    const message = { type: "model_update", seq: 1, sampled_at: null };
    expect(sampledAt(parseModels(JSON.stringify(message)))).toBeNull();
    expect(parseModels(JSON.stringify({ ...message, sampled_at: "yesterday" }))).toBeNull();
    expect(parseModels(JSON.stringify({ ...message, sampled_at: 12 }))).toBeNull();
  });

  it("come as often as they say, else as their feed usually does", () => {
    const message = { type: "governance_update", seq: 1, sampled_at: null };
    expect(parseGovernance(JSON.stringify(message))?.interval_seconds).toBe(5);
    expect(parseGovernance(JSON.stringify({ ...message, interval_seconds: 2 }))?.interval_seconds).toBe(2);
  });

  it("never make a parser throw", () => {
    const nearly = fc.record({ type: fc.constantFrom(...types), seq: fc.jsonValue(), sampled_at: fc.jsonValue() });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          nearly.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          for (const type of types) {
            const message = PARSERS[type](text);
            if (message) expect(Number.isFinite(message.seq) && message.interval_seconds > 0).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
