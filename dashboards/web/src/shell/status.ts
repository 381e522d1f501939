import { computed } from "@preact/signals";
import { duration } from "../format/format";
import { age, connection, stale, update } from "../store";

export type Mood = "good" | "waiting" | "bad";

/** The state of the connection, in words that change only when the state does. */
export const status = computed<{ mood: Mood; label: string; sentence: string }>(() => {
  const { state, problem } = connection.value;
  const seen = update.value !== null;
  switch (state) {
    case "live":
      return stale.value
        ? { mood: "waiting", label: "No new sample", sentence: "Connected, but the agent has no new sample." }
        : { mood: "good", label: "Live", sentence: "Connected. The numbers are live." };
    case "polling":
      return { mood: "waiting", label: "Polling", sentence: "The live connection is away. Asking every 10 seconds." };
    case "offline":
      return { mood: "bad", label: "Offline", sentence: `${problem ?? "The agent does not answer."} Trying again.` };
    case "paused":
      return { mood: "waiting", label: "Paused", sentence: "Paused while this page is hidden." };
    case "connecting":
      return {
        mood: "waiting",
        label: seen ? "Reconnecting" : "Connecting",
        sentence: seen ? "Reconnecting." : "Connecting.",
      };
  }
});

/** How old the numbers are, in words, where that is worth a word. */
export const ageText = computed(() => {
  if (age.value === null || !(stale.value || connection.value.state === "polling")) return "";
  return `${duration(Math.max(1, Math.round(age.value / 1000)))} old`;
});
