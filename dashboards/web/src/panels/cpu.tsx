import type { Cpu } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { megahertz, percent, plain, text } from "../format/format";
import { type Share, Shares } from "../ui/bar";
import { Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { wholePercent } from "../ui/range";

export function CpuPanel({ update }: { update: SystemUpdate }) {
  const cpu = update.metrics.cpu;
  return (
    <Panel
      id="cpu"
      title="CPU"
      note={cpu ? facts(cpu) : whyMissing(update, "cpu")}
      values={<Figure quantity={percent(cpu?.usage_percent)} />}
    >
      <Chart
        title="CPU use"
        lines={[{ name: "cpu_percent", label: "all CPUs", color: "blue" }]}
        format={percent}
        range={wholePercent}
      />
      {cpu?.mode_percent && <Shares label="CPU time by mode" shares={modes(cpu.mode_percent)} />}
      {cpu?.per_cpu_percent && <Cores percents={cpu.per_cpu_percent} />}
    </Panel>
  );
}

function facts(cpu: Cpu): string {
  const parts = [];
  if (cpu.count_logical) {
    const cores = cpu.count_physical ? `${cpu.count_physical} cores, ` : "";
    parts.push(`${cores}${cpu.count_logical} ${cpu.count_logical === 1 ? "thread" : "threads"}`);
  }
  if (cpu.frequency) parts.push(text(megahertz(cpu.frequency.current)));
  if (cpu.load_average) parts.push(`load ${cpu.load_average.map((load) => text(plain(load))).join("  ")}`);
  return parts.join(" · ");
}

const MODES: [key: string, label: string][] = [
  ["user", "user"],
  ["nice", "nice"],
  ["system", "system"],
  ["iowait", "I/O wait"],
  ["irq", "irq"],
  ["softirq", "softirq"],
  ["steal", "steal"],
];
/** Modes that are worth a word although they are idle: everybody has them. */
const ALWAYS = new Set(["user", "system", "iowait"]);

function modes(percents: Record<string, number | null>): Share[] {
  return MODES.flatMap(([key, label]) => {
    const share = percents[key];
    if (share === null || share === undefined) return [];
    if (!ALWAYS.has(key) && share < 0.05) return [];
    return [{ key, label, percent: share, text: text(percent(share)) }];
  });
}

/** Every CPU as a column, as many as there are. */
function Cores({ percents }: { percents: (number | null)[] }) {
  const known = percents.filter((value) => value !== null);
  const highest = known.length > 0 ? Math.max(...known) : null;
  const where = highest === null ? "" : `, highest CPU ${percents.indexOf(highest)} at ${text(percent(highest))}`;
  return (
    <div class="cores-block">
      <p class="small-title">
        Each CPU <span class="quiet">{highest !== null && `highest ${text(percent(highest))}`}</span>
      </p>
      <div class="cores" role="img" aria-label={`Use of each of ${percents.length} CPUs${where}`}>
        {percents.map((value, index) => (
          <span key={index} title={`CPU ${index}: ${text(percent(value))}`} class={value === null ? "unknown" : ""}>
            <span
              class={value !== null && value >= 90 ? "busy" : ""}
              style={{ height: `${Math.max(2, value ?? 0)}%` }}
            />
          </span>
        ))}
      </div>
    </div>
  );
}
