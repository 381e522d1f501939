import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeMachine } from "../../dev/machine.mjs";
import { makeServices } from "../../dev/services.mjs";
import database from "../contract/database.schema.json";
import governance from "../contract/governance.schema.json";
import models from "../contract/models.schema.json";
import { reader, sampledAt } from "./envelope";
import { parseUpdate } from "./message";

const parseModels = reader(models, ["model_update"]);
const parseGovernance = reader(governance, ["governance_init", "governance_update"], 5);
const PARSERS = {
  system_update: parseUpdate,
  model_update: parseModels,
  database_update: reader(database, ["database_update"]),
  governance_update: parseGovernance,
};
/** A message of each type, with these members in place of its own. */
const ALL = [makeMachine()(), ...Object.values(makeServices()())] as { type: string }[];
const text = (type: string, more: object = {}) => JSON.stringify({ ...ALL.find((one) => one.type === type), ...more });
const types = Object.keys(PARSERS) as (keyof typeof PARSERS)[];

afterEach(() => vi.restoreAllMocks());

describe("a feed's messages", () => {
  it("are taken by their own feed alone", () => {
    for (const type of types) {
      expect(types.filter((other) => PARSERS[other](text(type)))).toEqual([type]);
    }
  });

  it("of governance begin with a greeting", () => {
    expect(parseGovernance(text("governance_update", { type: "governance_init", seq: 1 }))?.seq).toBe(1);
  });

  it("may have no time but those of the host, and never a wrong one", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const message = parseModels(text("model_update", { sampled_at: null }));
    expect(message).not.toBeNull();
    expect(sampledAt(message)).toBeNull();
    expect(parseModels(text("model_update", { sampled_at: "yesterday" }))).toBeNull();
    expect(sampledAt(parseModels(text("model_update", { sampled_at: 12 })))).toBeNull();
  });

  it("come as often as they say, else as their feed usually does", () => {
    expect(parseGovernance(text("governance_update"))?.interval_seconds).toBe(5);
    expect(parseGovernance(text("governance_update", { interval_seconds: 2 }))?.interval_seconds).toBe(2);
    expect(parseUpdate(text("system_update", { interval_seconds: 0 }))?.interval_seconds).toBe(1);
  });

  it("never make a parser throw", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const wrong = fc.record({ seq: fc.jsonValue(), sampled_at: fc.jsonValue() });
    const nearly = fc.tuple(fc.constantFrom(...types), wrong).map(([type, more]) => text(type, more));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), nearly), (given) => {
        for (const type of types) {
          const message = PARSERS[type](given);
          if (message) expect(Number.isFinite(message.seq) && message.interval_seconds > 0).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
