import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ServerMetrics as Server } from "../contract/types";
import { UNKNOWN } from "../format/format";
import { part } from "../testing";
import { replicationLag, slowCount, transactions, verdict, whyDashes, worstQueries } from "./database";

const server = (more: unknown = {}): Server => part({ name: "main", status: "connected", ...(more as object) });
const plain = (text: string) => text.replaceAll("\u202f", " ");
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const seconds = maybe(fc.double({ min: 0, max: 1e6, noNaN: true }));

describe("the worst queries", () => {
  it("are one of each kind, and none is worse than it", () => {
    const running = fc.array(fc.record({ pid: fc.nat(), seconds, query: maybe(fc.string()) }));
    const slow = fc.array(fc.record({ query: maybe(fc.string()), mean_time_ms: seconds }));
    fc.assert(
      fc.property(maybe(running), maybe(running), maybe(slow), (blocked, long_running, slow_queries) => {
        const found = worstQueries(server({ blocked, long_running, slow_queries }));
        const kinds = found.map(({ kind }) => kind);
        const lists = { blocked, long: long_running, slow: slow_queries };
        expect(kinds).toEqual(Object.keys(lists).filter((kind) => lists[kind as keyof typeof lists]?.length));
        for (const { kind, query } of found) {
          const rows: { query?: string | null; seconds?: number | null; mean_time_ms?: number | null }[] =
            lists[kind] ?? [];
          const size = (row: (typeof rows)[number]) => row.seconds ?? row.mean_time_ms ?? Number.NEGATIVE_INFINITY;
          const worst = Math.max(...rows.map(size));
          expect(rows.some((row) => size(row) === worst && (row.query ?? null) === query)).toBe(true);
        }
      }),
    );
  });

  it("say who is waited for", () => {
    const blocked = [
      { pid: 2, seconds: 12, query: "UPDATE t", blocked_by: [{ pid: 1, state: "idle in transaction" }] },
    ];
    expect(worstQueries(server({ blocked })).map(({ measure }) => plain(measure))).toEqual([
      "12 s, by 1 (idle in transaction)",
    ]);
  });
});

describe("a server", () => {
  it.each([
    [server({ status: "disconnected", health: { status: "healthy" } }), "does not answer"],
    [server({ status: "error" }), "does not let us in"],
    [server({ health: { status: "healthy" } }), "healthy"],
    [server({ health: { status: "degraded" } }), "degraded"],
    [server({ health: { status: "unknown" } }), "not judged"],
    [server(), "not judged"],
  ])("is judged as it says: %o", (given, word) => {
    expect(verdict(given).word).toBe(word);
  });

  it("counts no slow queries only when somebody counts them", () => {
    expect(slowCount(server())).toBe(0);
    expect(slowCount(server({ slow_queries: [{}, {}] }))).toBe(2);
    expect(slowCount(server({ missing: { slow_queries: { reason: "not_configured" } } }))).toBeNull();
  });

  it("never makes a rate of half a pair", () => {
    expect(transactions(server({ activity: { commits_per_second: 3, rollbacks_per_second: 0.5 } }))).toBe("3.5");
    expect(transactions(server({ activity: { commits_per_second: 3 } }))).toBe(UNKNOWN);
    expect(transactions(server())).toBe(UNKNOWN);
  });

  it.each([
    [null, UNKNOWN],
    [{ is_replica: true, lag_seconds: 1.5 }, "1.5 s behind"],
    [{ is_replica: true, lag_seconds: null }, `${UNKNOWN} behind`],
    [{ receivers: null }, UNKNOWN],
    [{ receivers: [] }, "no receivers"],
    [{ receivers: [{ lag_bytes: 10 }, { lag_bytes: 2048 }] }, "2 receivers, 2.00 KiB behind"],
    [{ receivers: [{ lag_bytes: null, lag_seconds: 3 }] }, "1 receiver, 3.0 s behind"],
  ])("tells how far replication is behind: %o", (replication, words) => {
    expect(plain(replicationLag(server({ replication })))).toBe(words);
  });

  it("explains the dashes that the panel shows, and only those", () => {
    const missing = {
      slow_queries: { reason: "not_configured", detail: "run: CREATE EXTENSION pg_stat_statements;" },
      vacuum_debt: { reason: "no_permission", detail: null },
    };
    expect(whyDashes(server({ missing }))).toEqual([
      "Slow queries: Not configured: run: CREATE EXTENSION pg_stat_statements;",
    ]);
  });
});
