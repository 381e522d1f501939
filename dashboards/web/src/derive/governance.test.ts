import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GovernanceUpdate } from "../contract/types";
import { part } from "../testing";
import { auditProblems, byTrust, pendingCount, placeOf, waiting, watchedKinds } from "./governance";

const role = fc.record({
  name: fc.string(),
  trust_level: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constant(null)),
  trust_scale: fc.constantFrom("priority_1_10", "taxonomy_0_5", "another", null),
});

describe("roles by trust", () => {
  it("count every role once, never across scales, the most trusted first", () => {
    fc.assert(
      fc.property(fc.array(role), (roles) => {
        const scales = byTrust(part(roles));
        expect(new Set(scales.map(({ title }) => title)).size).toBe(new Set(roles.map((one) => one.trust_scale)).size);
        expect(scales.flatMap(({ levels }) => levels).reduce((sum, { count }) => sum + count, 0)).toBe(roles.length);
        for (const { levels } of scales) {
          const order = levels.map(({ level }) => level ?? -1);
          expect(order).toEqual(order.toSorted((one, other) => other - one));
          expect(new Set(order).size).toBe(order.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("name their scale", () => {
    const [scale] = byTrust(
      part([{ name: "agent", trust_level: 2, trust_scale: "taxonomy_0_5", trust_word: "standard" }]),
    );
    expect(scale).toEqual({ title: "trust level, 0 to 5", levels: [{ level: 2, word: "standard", count: 1 }] });
  });
});

describe("drafts", () => {
  it("wait for the longest first, and those that are decided do not", () => {
    const draft = fc.record({
      id: fc.string(),
      pending: fc.boolean(),
      created: fc.oneof(fc.nat(), fc.constant(null)),
    });
    fc.assert(
      fc.property(fc.array(fc.record({ name: fc.string(), drafts: fc.array(draft) })), (installations) => {
        const rows = waiting(part({ installations }));
        expect(rows.length).toBe(installations.flatMap(({ drafts }) => drafts).filter(({ pending }) => pending).length);
        const times = rows.map(({ created }) => created ?? Number.MAX_VALUE);
        expect(times).toEqual(times.toSorted((one, other) => one - other));
      }),
    );
  });

  it("are not counted when an installation does not say", () => {
    expect(
      pendingCount(
        part({
          installations: [
            { name: "a", drafts_pending: 2 },
            { name: "b", drafts_pending: 1 },
          ],
        }),
      ),
    ).toBe(3);
    expect(pendingCount(part({ installations: [{ name: "a", drafts_pending: 2 }, { name: "b" }] }))).toBeNull();
  });
});

describe("the logs", () => {
  it("show the kind that is closest to its limit first", () => {
    const watched = fc.array(fc.record({ kind: fc.string(), count: fc.nat(100), limit: fc.nat(50) }));
    fc.assert(
      fc.property(fc.array(watched), (logs) => {
        const rows = watchedKinds(
          part(logs.map((kinds, index) => ({ name: `log ${index}`, state: "following", watched: kinds }))),
        );
        expect(rows.length).toBe(logs.flat().length);
        const fullness = rows.map(({ count, limit }) => (count ?? 0) / Math.max(1, limit ?? 1));
        expect(fullness).toEqual(fullness.toSorted((one, other) => other - one));
      }),
    );
  });

  it("say what is wrong with them", () => {
    const logs = [
      { name: "a", state: "following" },
      { name: "b", state: "waiting" },
      { name: "c", state: "unreadable", missing: { reason: "no_permission", detail: "/c: permission denied" } },
    ];
    expect(auditProblems(part<GovernanceUpdate["audit"]>({ logs, problems: ["the folder is full"] }))).toEqual([
      "c: /c: permission denied",
      "the folder is full",
    ]);
    expect(auditProblems(null)).toEqual([]);
  });

  it("tell events apart by where they stand", () => {
    const at = (file: string, offset: number | null) =>
      placeOf(part({ kind: "k", level: "info", source: { file, offset } }), 7);
    expect(at("f", 0)).not.toBe(at("f", 10));
    expect(at("f", 10)).not.toBe(at("g", 10));
    expect(at("f", null)).toBe("row 7");
  });
});
