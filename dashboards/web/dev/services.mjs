// What a made-up machine's other sources say. Each file of `services` is a feed: its name, its sources with why they are off in `bare`, and
// its message.

import { readdir } from "node:fs/promises";

const FOLDER = new URL("services/", import.meta.url);
const FILES = (await readdir(FOLDER)).sort();
const SERVICES = await Promise.all(
  FILES.map(async (file) => (await import(/* @vite-ignore */ new URL(file, FOLDER).href)).default),
);

const GPU = ["no_sensor", "no GPU: no AMD or Intel card below /sys/class/drm; there seems to be no NVIDIA driver here"];

/** The health of all sources: in `bare` nothing but the host. */
export function health(scenario, interval) {
  const fresh = (name, age = 0.04, took = 0.0011, every = interval) => ({
    name,
    state: "fresh",
    reason: null,
    detail: null,
    age_seconds: age,
    interval_seconds: every,
    duration_seconds: took,
  });
  const others = Object.entries(Object.assign({ gpu: GPU }, ...SERVICES.map(({ off }) => off)));
  return [
    fresh("host", 0.002, 0.00071),
    fresh("processes", 2.1, 0.0083, 10),
    ...others.map(([name, [reason, detail]]) =>
      scenario === "bare"
        ? { ...fresh(name), state: "off", reason, detail, age_seconds: null, duration_seconds: null }
        : fresh(name),
    ),
  ];
}

/** The messages of the other feeds, new each time they are asked for; null for a feed that has nothing to say. */
export function makeServices(scenario = "usual", interval = 1) {
  const started = Date.now();
  let seq = 0;
  return () => {
    seq += 1;
    const at = Date.now();
    const sampled = new Date(at).toISOString();
    const moment = { interval, started, second: (at - started) / 1000, full: scenario === "full" };
    return Object.fromEntries(
      SERVICES.map(({ feed, message }) => [
        feed,
        scenario === "bare" ? null : { seq, sampled_at: sampled, timestamp: sampled, ...message(moment) },
      ]),
    );
  };
}
