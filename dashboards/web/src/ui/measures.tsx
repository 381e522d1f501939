import { Bar } from "./bar";

export interface Measure {
  label: string;
  /** How full, where there is a whole to be part of. */
  percent?: number | null;
  level?: "warning" | "critical" | null;
  text: string;
}

/** Named values under each other, with a bar where there is a limit. */
export function Measures({ measures }: { measures: Measure[] }) {
  return (
    <dl class="measures">
      {measures.map(({ label, percent, level, text }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            <Bar percent={percent} level={level ?? null}>
              {text}
            </Bar>
          </dd>
        </div>
      ))}
    </dl>
  );
}
