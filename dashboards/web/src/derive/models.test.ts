import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Job, LoadedModel } from "../contract/types";
import { UNKNOWN } from "../format/format";
import { part } from "../testing";
import { departure, gpuShare, idleness, jobState, onDisk } from "./models";

const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const anything = maybe(fc.double());
const model = (more: Partial<LoadedModel>): LoadedModel => part({ name: "m", ...more });
const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("a model in memory", () => {
  it.each([
    [{ state: "stopping", always_loaded: true, unloads_in_seconds: 3 }, "stopping"],
    [{ state: "crashed", unloads_in_seconds: 3 }, "crashed"],
    [{ state: "loaded", always_loaded: true, unloads_in_seconds: null }, "stays"],
    [{ state: "loaded", unloads_in_seconds: 299 }, "4 min 59 s"],
    [{ state: "loaded", unloads_in_seconds: null }, UNKNOWN],
    [{ state: "loaded", unloads_in_seconds: 299, version: "older" }, "older version, 4 min 59 s"],
    [{ state: "loaded", always_loaded: true, version: "deleted" }, "deleted, stays"],
    [{ state: "loaded", always_loaded: true, version: "current" }, "stays"],
    [{}, UNKNOWN],
  ])("leaves as it says: %o", (more, words) => {
    expect(plain(departure(model(more)))).toBe(words);
  });

  it("has a share on GPUs only when both numbers are known", () => {
    fc.assert(
      fc.property(anything, anything, (memory_vram, memory_usage) => {
        const share = gpuShare(model({ memory_vram, memory_usage }));
        const known = Number.isFinite(memory_vram) && Number.isFinite(memory_usage) && (memory_usage as number) > 0;
        expect(share).toEqual(known ? ((memory_vram as number) / (memory_usage as number)) * 100 : null);
      }),
      { numRuns: 500 },
    );
  });

  it("is idle only when somebody knows", () => {
    expect(idleness(model({ idle_minutes: null }))).toBeNull();
    expect(idleness(model({ idle_minutes: 0 }))).toBe("just used");
    expect(plain(idleness(model({ idle_minutes: 2.5 })) ?? "")).toBe("idle 2 min 30 s");
  });
});

describe("the models on disk", () => {
  it("are summed only when every size is known; those in the cloud take nothing", () => {
    const row = fc.record({ name: fc.string(), size: maybe(fc.nat()), remote: maybe(fc.boolean()) });
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const local = rows.filter(({ remote }) => !remote);
        const { count, bytes } = onDisk(part(rows));
        expect(count).toBe(local.length);
        const gap = local.some(({ size }) => size === null);
        expect(bytes === null).toBe(gap);
        if (bytes !== null) expect(bytes).toBe(local.reduce((sum, { size }) => sum + (size ?? Number.NaN), 0));
      }),
    );
    expect(onDisk(null)).toEqual({ count: null, bytes: null });
  });
});

describe("a job", () => {
  const job = (more: unknown): Job =>
    part({ id: 1, model: "m", action: "load", state: "running", ...(more as object) });

  it.each([
    [job({ seconds: 12 }), "loading for 12 s"],
    [job({ seconds: null }), "loading"],
    [job({ action: "unload" }), "unloading"],
    [job({ state: "queued", position: 2 }), "waits, 2 before it"],
    [job({ state: "queued", position: 0 }), "next"],
    [job({ state: "done", seconds: 25 }), "loaded in 25 s"],
    [job({ state: "done", seconds: 12, note: "it stays until noon" }), "loaded in 12 s; it stays until noon"],
    [job({ state: "failed", error: { message: "no room.", hint: "Unload another." } }), "no room. Unload another."],
    [job({ state: "failed", error: null }), "failed"],
    [job({ state: "a new state" }), "a new state"],
  ])("says what becomes of it: %o", (given, words) => {
    expect(plain(jobState(given))).toBe(words);
  });
});
