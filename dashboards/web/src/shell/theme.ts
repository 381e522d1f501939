import { effect, signal } from "@preact/signals";
import { recall, remember } from "./memory";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const theme = signal<Theme>(recall("theme", THEMES) ?? "system");
/** Changes when the colours on the screen do, for those who paint on a canvas. */
export const painted = signal(0);

/** Keeps the document's colours at what the reader chose, or at what the system says. */
export function followTheme(): void {
  effect(() => {
    remember("theme", theme.value);
    if (theme.value === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.value;
    painted.value = painted.peek() + 1;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    painted.value += 1;
  });
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] as Theme;
}
