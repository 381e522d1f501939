import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeMachine } from "../../dev/machine.mjs";
import { makeRoutes } from "../../dev/routes.mjs";
import { makeServices } from "../../dev/services.mjs";
import error from "../contract/error.schema.json";
import history from "../contract/system_history.schema.json";
import { conformer } from "./conform";
import { reader } from "./envelope";
import { parseUpdate } from "./message";

const SCHEMAS = import.meta.glob("../contract/*.schema.json", { eager: true, import: "default" });

/** The check and the reader of a feed whose message this is. */
const read = (feed: string, { type }: { type: string }) => {
  const schema = SCHEMAS[`../contract/${feed}.schema.json`];
  return { conform: conformer(schema), parse: reader(schema, [type]) };
};

/** Messages of the made-up machine, two of each feed that has any. */
function messages(scenario: string): [string, { type: string }][] {
  const machine = makeMachine(scenario);
  const services = makeServices(scenario);
  return [0, 1].flatMap(() =>
    Object.entries({ system: machine(), ...services() })
      .filter(([, message]) => message)
      .map(([feed, message]) => [feed, message as { type: string }] as [string, { type: string }]),
  );
}

/** A copy, with each place in it. */
function copied(message: object): { message: Record<string, unknown>; places: string[][] } {
  const copy = JSON.parse(JSON.stringify(message));
  const places: string[][] = [];
  const visit = (value: unknown, path: string[]) => {
    if (path.length > 0) places.push(path);
    if (typeof value === "object" && value)
      for (const [key, part] of Object.entries(value)) visit(part, [...path, key]);
  };
  visit(copy, []);
  return { message: copy, places };
}

function at(message: unknown, path: string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], message);
}

afterEach(() => vi.restoreAllMocks());

describe("the contract with the agent", () => {
  it.each(["usual", "full", "bare"])("is kept by the made-up machine: %s", (scenario) => {
    for (const [feed, message] of messages(scenario)) {
      expect([feed, read(feed, message).conform(copied(message).message)]).toEqual([feed, []]);
    }
  });

  it.each(["usual", "full", "bare"])("is kept by its routes: %s", (scenario) => {
    const routes = makeRoutes(scenario, 1, 100);
    const told = {
      "api/system/history": conformer(history),
      "api/system": conformer(SCHEMAS["../contract/system.schema.json"]),
      nothing: conformer(error),
    };
    for (const [path, conform] of Object.entries(told)) {
      const [, answer] = routes.answer(new URL(path, "http://mock"));
      expect([path, conform(JSON.parse(JSON.stringify(answer)))]).toEqual([path, []]);
    }
  });

  it("costs a message what does not conform to it, and nothing beside that", () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const all = messages("full").map(([feed, message]) => ({ feed, original: message, ...read(feed, message) }));
    const wrong = fc.constantFrom<unknown>(null, true, -7.5, "words", [], {}, [[]], { a: 1 });
    let refused = 0;
    const property = fc.property(
      fc.constantFrom(...all),
      fc.nat(),
      wrong,
      ({ feed, original, conform, parse }, index, value) => {
        const { message, places } = copied(original);
        const path = places[index % places.length] ?? [];
        (at(message, path.slice(0, -1)) as Record<string, unknown>)[path.at(-1) ?? ""] = value;
        const parsed = parse(JSON.stringify(message)) as Record<string, unknown> | null;
        if (!parsed) {
          refused += 1;
          return;
        }
        expect(conform(copied(parsed).message)).toEqual([]);
        // Blocks that do not hold the place are as they were.
        const depth = feed === "system" && path[0] === "metrics" ? 2 : 1;
        const blocks = places.filter((place) => place.length === depth && place[0] !== "missing");
        for (const block of blocks.filter((place) => !place.every((name, step) => name === path[step]))) {
          if (block[0] !== "sampled_at" && block[0] !== "interval_seconds") {
            expect(at(parsed, block)).toEqual(at(message, block));
          }
        }
      },
    );
    fc.assert(property, { numRuns: 2000 });
    // Few members are such that there is no message without them.
    expect(refused).toBeLessThan(500);
    expect(said).toHaveBeenCalled();
  });

  // Property 8: Every failed request and every lost connection leaves its details on the browser's console.
  it("says what was left out: where the message says what is missing, and once on the console", async () => {
    vi.resetModules();
    const { parseUpdate } = await import("./message");
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const [, original] = messages("full")[0] as [string, object];
    const { message } = copied(original);
    (at(message, ["metrics"]) as Record<string, unknown>)["memory"] = "a lot";
    const text = JSON.stringify(message);
    expect(parseUpdate(text)?.metrics.memory).toBeUndefined();
    expect(parseUpdate(text)?.missing["memory"]?.reason).toBe("unreadable");
    expect(said.mock.calls.flat().filter((line) => String(line).includes("metrics.memory"))).toHaveLength(1);
  });

  it("takes words that it does not know: an agent that is newer may have more of them", () => {
    const [, original] = messages("full")[0] as [string, object];
    const { message } = copied(original);
    (message["sources"] as { state: string }[])[0] = {
      ...(message["sources"] as { state: string }[])[0],
      state: "new",
    };
    expect(parseUpdate(JSON.stringify({ ...message, and: "more" }))?.sources[0]?.state).toBe("new");
  });
});
