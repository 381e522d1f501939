/** How full something is, as a picture. The number stands beside it in words, so the picture is left out for screen readers. */
export function Bar({ percent, level }: { percent: number | null | undefined; level?: "warning" | "critical" | null }) {
  const known = Number.isFinite(percent);
  const width = known ? Math.min(100, Math.max(0, percent as number)) : 0;
  return (
    <span class={`bar${level ? ` ${level}` : ""}${known ? "" : " unknown"}`} aria-hidden="true">
      <span style={{ width: `${width}%` }} />
    </span>
  );
}

export interface Share {
  key: string;
  label: string;
  /** Part of 100. */
  percent: number;
  /** The share in words. */
  text: string;
}

/** Shares of one whole, as a bar and its legend. */
export function Shares({ label, shares }: { label: string; shares: Share[] }) {
  return (
    <div class="shares">
      <span class="stack" aria-hidden="true">
        {shares.map((share) => (
          <span key={share.key} class={`tone-${share.key}`} style={{ width: `${Math.max(0, share.percent)}%` }} />
        ))}
      </span>
      <ul aria-label={label}>
        {shares.map((share) => (
          <li key={share.key}>
            <span class={`swatch tone-${share.key}`} aria-hidden="true" />
            {share.label} <b>{share.text}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Which colour a share of a resource deserves. */
export function levelOf(percent: number | null | undefined, warning = 85, critical = 95): "warning" | "critical" | null {
  if (!Number.isFinite(percent)) return null;
  const value = percent as number;
  return value >= critical ? "critical" : value >= warning ? "warning" : null;
}
