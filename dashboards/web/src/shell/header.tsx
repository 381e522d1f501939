import { chosenWindow, update, WINDOWS, type Window } from "../store";
import { Choice } from "../ui/choice";
import { ageText, status } from "./status";
import { nextTheme, theme } from "./theme";

/** What stays in sight: whose numbers these are, whether they are live, and how they are shown. */
export function Header() {
  const hostname = update.value?.metrics.platform?.hostname;
  return (
    <header class="top">
      <div class="brand">
        <Mark />
        <h1>
          {hostname ?? "Aura"}
          {hostname && <span class="hidden">, Aura Agent</span>}
        </h1>
      </div>
      <Connection />
      <div class="controls">
        <Choice
          label="How far back the charts look"
          options={Object.keys(WINDOWS) as Window[]}
          chosen={chosenWindow.value}
          choose={(chosen) => {
            chosenWindow.value = chosen;
          }}
        />
        <button type="button" class="theme" onClick={nextTheme} title="Change colours">
          <ThemeIcon />
          <span class="hidden">Colours: {theme.value}</span>
        </button>
      </div>
    </header>
  );
}

function Connection() {
  const { mood, label, sentence } = status.value;
  return (
    <div class="connection">
      <span class={`pill ${mood}`} title={sentence}>
        <span class="pulse" aria-hidden="true" />
        {label}
      </span>
      {ageText.value && <span class="age">{ageText.value}</span>}
      <span class="hidden" role="status">
        {sentence}
      </span>
    </div>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--mark)" />
      <path
        d="M5 21c3.5 0 3.5-9 7-9s3.5 12 7 12 4-15 8-15"
        fill="none"
        stroke="#5eead4"
        stroke-width="3"
        stroke-linecap="round"
      />
    </svg>
  );
}

function ThemeIcon() {
  const shapes = {
    system: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 6a6 6 0 0 1 0 12z"],
    light: [
      "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
      "M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
    ],
    dark: ["M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z", ""],
  };
  const [outline, inside] = shapes[theme.value];
  return (
    <svg viewBox="0 0 24 24" width="18" height="18" stroke="currentColor" stroke-width="1.8" aria-hidden="true">
      <path d={outline} fill="none" stroke-linejoin="round" />
      <path d={inside} fill={theme.value === "system" ? "currentColor" : "none"} stroke-linecap="round" />
    </svg>
  );
}
