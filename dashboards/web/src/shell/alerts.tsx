import type { Alert } from "../contract/types";
import { bytes, celsius, percent, plain, text, timeOfDay } from "../format/format";

/** The thresholds that are crossed at this moment; nothing when there are none. */
export function Alerts({ alerts }: { alerts: Alert[] }) {
  if (alerts.length === 0) return null;
  return (
    <section class="alerts" aria-label="Alerts">
      <ul>
        {alerts.map((alert) => (
          <li key={alert.name} class={alert.severity === "critical" ? "critical" : "warning"}>
            <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true">
              <path d="M12 3 22 20H2z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" />
              <path d="M12 10v4M12 17v.5" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
            </svg>
            <b>{alert.name.charAt(0).toUpperCase() + alert.name.slice(1).replaceAll("_", " ")}</b>{" "}
            {written(alert.value, alert.unit)}
            <span class="quiet">
              {alert.severity}: limit {written(alert.threshold, alert.unit)}
              {alert.since && `, since ${timeOfDay(Date.parse(alert.since), false)}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function written(value: number | null | undefined, unit: string | null | undefined): string {
  if (unit === "percent") return text(percent(value));
  if (unit === "celsius") return text(celsius(value));
  if (unit === "bytes") return text(bytes(value));
  return `${text(plain(value))}${unit ? ` ${unit}` : ""}`;
}
