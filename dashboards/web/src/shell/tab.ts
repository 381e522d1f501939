import { effect } from "@preact/signals";
import { update } from "../store";
import { status } from "./status";

/** Keeps the browser's tab telling whose numbers these are, and with one mark that they need a look. */
export function followTab(): void {
  effect(() => {
    const hostname = update.value?.metrics.platform?.hostname;
    const alerts = update.value?.alerts?.length ?? 0;
    const mark = status.value.mood === "bad" ? "offline · " : alerts > 0 ? "⚠ " : "";
    const title = `${mark}${hostname ? `${hostname} · ` : ""}Aura`;
    if (document.title !== title) document.title = title;
  });
}
