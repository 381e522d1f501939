import type { ComponentChildren } from "preact";
import { useErrorBoundary } from "preact/hooks";
import { duration, type Quantity } from "../format/format";
import type { Live } from "../live";

/** One subject of the overview: a heading, the numbers that matter most beside it, and what belongs to it. */
export function Panel(props: {
  id: string;
  title: string;
  note?: ComponentChildren;
  values?: ComponentChildren;
  /** The feed that it shows, where that is not the overview's own. */
  feed?: Live<unknown>;
  /** Takes two columns where there are several. */
  wide?: boolean;
  children: ComponentChildren;
}) {
  const old = props.feed?.stale.value;
  return (
    <section
      class={["panel", props.wide && "wide", old && "stale"].filter(Boolean).join(" ")}
      aria-labelledby={`${props.id}-title`}
      id={props.id}
    >
      <header class="panel-head">
        <div>
          <h2 id={`${props.id}-title`}>{props.title}</h2>
          {props.note && <p class="note">{props.note}</p>}
        </div>
        {props.values && <div class="values">{props.values}</div>}
      </header>
      {props.feed && <Freshness feed={props.feed} />}
      {props.children}
    </section>
  );
}

/** How old the panel's numbers are and why, where they are not live. */
function Freshness({ feed }: { feed: Live<unknown> }) {
  const { state, problem } = feed.connection.value;
  const live = state === "live" || state === "connecting" || state === "paused";
  if (live && !feed.stale.value) return null;
  const age = feed.age.value;
  const why = {
    live: "No new sample comes.",
    connecting: "Reconnecting.",
    polling: "The live connection is away; asked every 10 seconds.",
    offline: `${problem ?? "The agent does not answer."} Trying again.`,
    paused: "",
  }[state];
  return (
    <p class="banner">
      {age !== null && <b>{duration(Math.max(1, Math.round(age / 1000)))} old</b>} {why}
    </p>
  );
}

/** A panel that cannot be drawn leaves the others alone. */
export function Contained({ title, children }: { title: string; children: ComponentChildren }) {
  const [error, retry] = useErrorBoundary((thrown) => console.error(`panel ${title}:`, thrown));
  if (!error) return <>{children}</>;
  return (
    <section class="panel">
      <h2>{title}</h2>
      <p class="empty">The agent sent something that this page cannot show.</p>
      <button type="button" class="more" onClick={retry}>
        Try again
      </button>
    </section>
  );
}

/** A number large enough to be read from across the room. */
export function Figure({ quantity, label }: { quantity: Quantity; label?: string }) {
  return (
    <p class="figure">
      {label && <span class="figure-label">{label}</span>}
      <span class="number">{quantity.value}</span>
      {quantity.unit && <span class="unit">{quantity.unit}</span>}
    </p>
  );
}
