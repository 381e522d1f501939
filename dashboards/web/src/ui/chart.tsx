import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Quantity, text, timeOfDay } from "../format/format";
import type { SeriesName } from "../history/columns";
import { summarize } from "../history/summary";
import { painted } from "../shell/theme";
import { chosenWindow, columns, pointed, revision, rightEdge, stale } from "../store";

export interface Line {
  name: SeriesName;
  label: string;
  /** The colour, as the name of a custom property without its dashes. */
  color: string;
}

export interface ChartProps {
  /** What is drawn, in words. */
  title: string;
  lines: Line[];
  format: (value: number | null | undefined) => Quantity;
  /** The scale for these extremes; unknown extremes are null. */
  range: (lowest: number | null, highest: number | null) => [number, number];
  /** Steps between the marks of the vertical axis, smallest first. */
  steps?: number[];
}

/** A live chart over the store's columns with its legend: a table that says in numbers what the picture shows. */
export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => mount(place.current as HTMLDivElement, props), []);
  return (
    <figure class="chart">
      <div class="canvas" ref={place} aria-hidden="true" />
      <figcaption>
        <Legend {...props} />
      </figcaption>
    </figure>
  );
}

function Legend({ title, lines, format }: ChartProps) {
  revision.value;
  const at = pointed.value;
  const first = columns.firstSince(rightEdge());
  const newest = stale.value ? "last" : "now";
  const time = at === null ? null : columns.times[at];
  return (
    <table class="legend">
      <caption class="hidden">
        {title}, last {chosenWindow.value}
      </caption>
      <thead>
        <tr>
          <th scope="col">
            <span class="hidden">Series</span>
          </th>
          <th scope="col">{time === null || time === undefined ? newest : timeOfDay(time * 1000)}</th>
          <th scope="col">average</th>
          <th scope="col">highest</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => {
          const values = columns.series[line.name];
          const summary = summarize(values, first);
          return (
            <tr key={line.name}>
              <th scope="row">
                <span class="swatch" style={{ background: `var(--${line.color})` }} aria-hidden="true" />
                {line.label}
              </th>
              <td>{text(format(at === null ? summary.now : values[at]))}</td>
              <td>{text(format(summary.average))}</td>
              <td>{text(format(summary.maximum))}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Draws into `place` until the returned function is called. */
function mount(place: HTMLDivElement, props: ChartProps): () => void {
  let plot: uPlot | null = null;
  let seen = false;
  let size = { width: 0, height: 0 };
  let drawn = { edge: 0, merges: 0 };

  const data = () => [columns.times, ...props.lines.map((line) => columns.series[line.name])] as uPlot.AlignedData;
  // What moves the picture by less than half a pixel is not worth painting; the legend tells the newest number anyway.
  const draw = () => {
    const next = { edge: rightEdge(), merges: columns.merges };
    const moved = Math.abs(next.edge - drawn.edge) >= columns.window / size.width / 2;
    if (!plot || !seen || !(moved || next.merges !== drawn.merges)) return;
    drawn = next;
    plot.setData(data());
  };
  const build = () => {
    plot?.destroy();
    plot = size.width > 0 ? new uPlot(options(props, size, paletteOf(place)), data(), place) : null;
  };

  const resized = new ResizeObserver(([entry]) => {
    const box = entry?.contentRect;
    if (!box) return;
    const next = { width: Math.floor(box.width), height: Math.floor(box.height) };
    if (next.width === size.width && next.height === size.height) return;
    size = next;
    if (plot) plot.setSize(size);
    else build();
  });
  const shown = new IntersectionObserver(([entry]) => {
    seen = entry?.isIntersecting ?? true;
    draw();
  });
  resized.observe(place);
  shown.observe(place);
  const stopDrawing = revision.subscribe(draw);
  const stopPainting = painted.subscribe(build);
  return () => {
    stopDrawing();
    stopPainting();
    resized.disconnect();
    shown.disconnect();
    plot?.destroy();
  };
}

interface Palette {
  font: string;
  color: (name: string, alpha?: number) => string;
}

/** Custom properties as a canvas understands them: only a computed colour has its scheme and its functions resolved. */
function paletteOf(place: HTMLElement): Palette {
  const probe = place.appendChild(document.createElement("span"));
  const colors = new Map<string, string>();
  const style = getComputedStyle(probe);
  for (const name of ["muted", "grid", "blue", "teal", "green", "amber", "violet", "rose"]) {
    probe.style.color = `var(--${name})`;
    colors.set(name, style.color);
  }
  const font = style.fontFamily;
  probe.remove();
  const channels = (name: string) =>
    colors
      .get(name)
      ?.match(/[\d.]+/g)
      ?.slice(0, 3) ?? ["128", "128", "128"];
  return { font, color: (name, alpha = 1) => `rgba(${channels(name).join(", ")}, ${alpha})` };
}

function options(props: ChartProps, size: { width: number; height: number }, { color, font }: Palette): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: color("muted"),
    font: `11px ${font}`,
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
    gap: 6,
  };
  return {
    ...size,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "aura" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
    hooks: {
      setCursor: [
        (plot) => {
          pointed.value = (plot.cursor.left ?? -1) < 0 ? null : (plot.cursor.idx ?? null);
        },
      ],
    },
    scales: {
      x: { time: true, range: () => [rightEdge() - columns.window, rightEdge()] },
      y: { range: (_plot, lowest, highest) => props.range(lowest ?? null, highest ?? null) },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 64,
        values: (_plot, splits, _axis, _space, step) => splits.map((split) => timeOfDay(split * 1000, step < 60)),
      },
      {
        ...axis,
        size: 58,
        space: 34,
        ...(props.steps ? { incrs: props.steps } : {}),
        values: (_plot, splits) => splits.map((split) => axisLabel(props.format(split))),
      },
    ],
    series: [
      {},
      ...props.lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        fill: color(line.color, 0.12),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}

/** An axis has round numbers: their trailing zeros say nothing. */
function axisLabel(quantity: Quantity): string {
  return text({ ...quantity, value: quantity.value.replace(/\.0+$/, "").replace(/(\.\d*[1-9])0+$/, "$1") });
}
