/** How full something is, as a picture before the number itself; no picture where that is unknown. */
export function Bar(props: {
  percent: number | null | undefined;
  level: "warning" | "critical" | null;
  children: string;
}) {
  const known = Number.isFinite(props.percent);
  return (
    <>
      {known && (
        <span class={`bar ${props.level ?? ""}`} aria-hidden="true">
          <span style={{ width: `${Math.min(100, Math.max(0, props.percent as number))}%` }} />
        </span>
      )}
      <span class="beside-bar">{props.children}</span>
    </>
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
export function levelOf(
  percent: number | null | undefined,
  warning = 85,
  critical = 95,
): "warning" | "critical" | null {
  if (!Number.isFinite(percent)) return null;
  const value = percent as number;
  return value >= critical ? "critical" : value >= warning ? "warning" : null;
}
