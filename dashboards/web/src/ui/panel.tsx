import type { ComponentChildren } from "preact";
import type { Quantity } from "../format/format";

/** One subject of the overview: a heading, the numbers that matter most beside it, and what belongs to it. */
export function Panel(props: {
  id: string;
  title: string;
  note?: ComponentChildren;
  values?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="panel" aria-labelledby={`${props.id}-title`} id={props.id}>
      <header class="panel-head">
        <div>
          <h2 id={`${props.id}-title`}>{props.title}</h2>
          {props.note && <p class="note">{props.note}</p>}
        </div>
        {props.values && <div class="values">{props.values}</div>}
      </header>
      {props.children}
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
