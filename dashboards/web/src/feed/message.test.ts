import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeReason } from "./envelope";
import { parseUpdate, type SystemUpdate, whyMissing } from "./message";

const GOOD = {
  type: "system_update",
  seq: 3,
  sampled_at: "2026-11-23T06:00:00.123Z",
  timestamp: "2026-11-23T06:00:00.123Z",
  interval_seconds: 1,
  metrics: {
    timestamp: "2026-11-23T06:00:00.123Z",
    platform: {},
    cpu: {},
    disk: { path: "/", filesystems: [], devices: [] },
  },
  missing: {},
  sources: [],
  alerts: [],
};

describe("a message", () => {
  it("is taken when it is an update", () => {
    expect(parseUpdate(JSON.stringify(GOOD))).toEqual(GOOD);
    expect(parseUpdate(JSON.stringify({ ...GOOD, interval_seconds: 0 }))?.interval_seconds).toBe(1);
  });

  it.each([
    '{"type":"error","error":{"code":"unknown_type"}}',
    JSON.stringify({ ...GOOD, seq: null }),
    JSON.stringify({ ...GOOD, sampled_at: "yesterday" }),
    JSON.stringify({ ...GOOD, sampled_at: null }),
    JSON.stringify({ ...GOOD, metrics: null }),
    JSON.stringify(GOOD).slice(0, 40),
    "null",
    "",
  ])("is not taken when it is something else: %s", (text) => {
    expect(parseUpdate(text)).toBeNull();
  });

  it("never makes the parser throw", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseUpdate(text)));
  });

  it("says why a block is missing, by its own entry or that of the block around it", () => {
    const update = {
      missing: { disk: { reason: "stale", detail: "/: no answer" }, "disk.io": { reason: "no_sensor", detail: null } },
    } as unknown as SystemUpdate;
    expect(whyMissing(update, "disk.io")).toBe("Not on this machine");
    expect(whyMissing(update, "disk.filesystems")).toBe("No fresh reading: /: no answer");
    expect(whyMissing(update, "cpu.frequency")).toBeNull();
    expect(describeReason("some_new_code", null)).toBe("some new code");
  });
});
