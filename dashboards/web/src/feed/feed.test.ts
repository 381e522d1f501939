import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LONGEST_DELAY } from "./backoff";
import { HIDDEN_FOR, POLL_EVERY, SILENCE } from "./feed";
import { World } from "./world";

function live(world = new World()): World {
  world.feed.start();
  world.advance(2_500);
  expect(world.feed.connection).toBe("live");
  return world;
}

describe("a feed", () => {
  it("goes live at once and takes every message", () => {
    const world = live();
    world.advance(5_000);
    expect(world.readings.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(world.readings.map(({ arrival }) => arrival).slice(0, 3)).toEqual(["first", "push", "push"]);
    expect(world.polls).toBe(0);
  });

  it("says offline soon after the agent dies, and comes back after it does", () => {
    const world = live();
    world.kill();
    world.advance(100);
    expect(world.feed.connection).toBe("offline");
    expect(world.connections.at(-1)?.problem).toBe("refused");
    world.advance(600_000);
    expect(world.feed.connection).toBe("offline");
    world.start();
    world.advance(POLL_EVERY + 100);
    expect(world.feed.connection).toBe("live");
    expect(world.latest).toMatchObject({ life: 2, seq: world.seq });
  });

  it("asks for nothing once it is stopped, whatever it was doing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000 }), fc.boolean(), fc.boolean(), (after, dead, hidden) => {
        const world = new World();
        world.feed.start();
        world.advance(1_500);
        if (dead) world.kill();
        if (hidden) world.feed.hide();
        world.advance(after);
        world.feed.stop();
        const before = [world.attempts.length, world.polls, world.readings.length];
        world.start();
        world.advance(120_000);
        expect([world.attempts.length, world.polls, world.readings.length]).toEqual(before);
        expect(world.openSockets).toBe(0);
      }),
    );
  });

  it("tries again and again with growing pauses, never longer than the longest", () => {
    const world = live();
    world.kill();
    const before = world.attempts.length;
    world.advance(3_600_000);
    const attempts = world.attempts.slice(before);
    const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] as number));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LONGEST_DELAY + world.latency);
    expect(pauses.length).toBeGreaterThan(3_600_000 / LONGEST_DELAY - 1);
    expect(pauses.length).toBeLessThan(3_600_000 / (LONGEST_DELAY * 0.7) + 10);
    expect(pauses[0]).toBeLessThan(pauses[3] as number);
  });

  it("starts with a short pause again after a connection that lasted, not after one that flaps", () => {
    const world = live();
    for (let drops = 0; drops < 12; drops += 1) {
      world.dropSockets();
      world.advance(LONGEST_DELAY);
    }
    expect(world.attempts.length).toBeGreaterThan(12);
    world.advance(20_000);
    const before = world.attempts.length;
    world.dropSockets();
    world.advance(600);
    expect(world.attempts.length).toBe(before + 1);
  });

  it("polls while only the socket is away, and stops when it is back", () => {
    const world = live();
    world.socketsBlocked = true;
    world.dropSockets();
    world.advance(60_000);
    expect(world.feed.connection).toBe("polling");
    expect(world.polls).toBeGreaterThanOrEqual(6);
    expect(world.seq - (world.latest?.seq ?? 0)).toBeLessThanOrEqual(POLL_EVERY / 1000);
    world.socketsBlocked = false;
    world.advance(LONGEST_DELAY + 100);
    expect(world.feed.connection).toBe("live");
    const polls = world.polls;
    world.advance(60_000);
    expect(world.polls).toBe(polls);
  });

  it("takes a socket that went silent for dead", () => {
    const world = live();
    world.agent = "silent";
    world.advance(SILENCE + 10_000);
    expect(world.feed.connection).toBe("offline");
    world.agent = "up";
    world.advance(LONGEST_DELAY + SILENCE);
    expect(world.feed.connection).toBe("live");
  });

  it("accepts a seq that starts again with a new life of the agent, and no old or double message before", () => {
    const world = live();
    world.advance(20_000);
    world.kill();
    world.start();
    world.advance(5_000);
    expect(world.latest).toMatchObject({ life: 2, seq: world.seq });
    const seen = new Set(world.readings.map(({ life, seq }) => `${life} ${seq}`));
    expect(seen.size).toBe(world.readings.length);
  });

  it("lets go when hidden for long, not when hidden shortly, and is back at once", () => {
    const world = live();
    world.feed.hide();
    world.advance(HIDDEN_FOR / 2);
    world.feed.show();
    world.advance(HIDDEN_FOR);
    expect(world.feed.connection).toBe("live");
    world.feed.hide();
    world.advance(HIDDEN_FOR + 10);
    expect(world.feed.connection).toBe("paused");
    expect(world.openSockets).toBe(0);
    const readings = world.readings.length;
    world.advance(600_000);
    expect(world.readings.length).toBe(readings);
    world.feed.show();
    world.advance(50);
    expect(world.feed.connection).toBe("live");
    expect(world.latest?.seq).toBe(world.seq);
  });

  it("does not wait for its pause when the network is back", () => {
    const world = live();
    world.kill();
    world.advance(300_000);
    world.start();
    world.feed.wake();
    world.advance(50);
    expect(world.feed.connection).toBe("live");
  });
});

// Property 7: Feeds open with the page and come back by exponential backoff.
describe("any sequence of connects, drops and reconnects", () => {
  const step = fc.oneof(
    fc.integer({ min: 1, max: 90_000 }).map((milliseconds) => ["wait", milliseconds] as const),
    fc.integer({ min: 1, max: 900 }).map((milliseconds) => ["wait", milliseconds] as const),
    fc.constantFrom(
      ...(["kill", "start", "drop", "block", "allow", "hang", "hide", "show", "wake"] as const).map(
        (name) => [name, 0] as const,
      ),
    ),
    fc.integer({ min: 1, max: 4_000 }).map((milliseconds) => ["latency", milliseconds] as const),
    fc.integer({ min: -1e7, max: 1e7 }).map((milliseconds) => ["set clock", milliseconds] as const),
  );

  function perform(world: World, [name, number]: readonly [string, number], check: () => void): void {
    if (name === "wait") world.advance(number, check);
    else if (name === "kill") world.kill();
    else if (name === "start") world.start();
    else if (name === "drop") world.dropSockets();
    else if (name === "block") world.socketsBlocked = true;
    else if (name === "allow") world.socketsBlocked = false;
    else if (name === "hang") world.agent = world.agent === "up" ? "silent" : world.agent;
    else if (name === "hide") world.feed.hide();
    else if (name === "show") world.feed.show();
    else if (name === "wake") world.feed.wake();
    else if (name === "latency") world.latency = number;
    else if (name === "set clock") world.clockAhead = number;
    check();
  }

  it("ends in the state that the network is in, with the newest reading", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 7 }),
        fc.constantFrom("reachable", "socket blocked", "dead", "hidden"),
        (steps, dice, ending) => {
          let roll = 0;
          const world = new World(() => dice[roll++ % dice.length] as number);
          const check = () => {
            expect(world.openSockets).toBeLessThanOrEqual(1);
            if (world.feed.connection === "live") expect(world.openSockets).toBe(1);
            if (world.feed.connection === "paused") expect(world.openSockets).toBe(0);
          };
          world.feed.start();
          for (const one of steps) perform(world, one, check);

          world.latency = 5;
          world.socketsBlocked = ending === "socket blocked";
          if (ending === "socket blocked") world.dropSockets();
          if (ending === "dead") world.kill();
          else world.start();
          if (ending === "hidden") world.feed.hide();
          else world.feed.show();
          const last = world.latest;
          world.advance(120_000, check);
          // Stand just behind a sample that has had the time to arrive.
          world.advance(1_000 - (world.now % 1_000) + 10, check);

          const expected = { reachable: "live", "socket blocked": "polling", dead: "offline", hidden: "paused" }[
            ending
          ];
          expect(world.feed.connection).toBe(expected);
          if (ending === "reachable") expect(world.latest).toMatchObject({ life: world.life, seq: world.seq });
          if (ending === "socket blocked") {
            expect(world.latest?.life).toBe(world.life);
            expect(world.seq - (world.latest?.seq ?? 0)).toBeLessThanOrEqual(POLL_EVERY / 1000 + 1);
          }
          if (ending === "dead" && last) expect(world.latest?.life).toBe(last.life);

          // Nothing is ever taken twice or after something newer.
          const order = world.readings.map(({ life, seq }) => life * 1e9 + seq);
          expect(order).toEqual([...new Set(order)].sort((one, other) => one - other));
        },
      ),
      { numRuns: 400 },
    );
  });
});
