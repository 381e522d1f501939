import type { Memory } from "../contract/types";
import { type SystemUpdate, whyMissing } from "../feed/message";
import { bytes, percent, text } from "../format/format";
import { type Share, Shares } from "../ui/bar";
import { Chart, type Line } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { wholePercent } from "../ui/range";

const MEMORY: Line = { name: "memory_percent", label: "memory", color: "violet" };
const SWAP: Line = { name: "swap_percent", label: "swap", color: "rose" };

export function MemoryPanel({ update }: { update: SystemUpdate }) {
  const memory = update.metrics.memory;
  const hasSwap = memory?.swap?.total !== 0;
  return (
    <Panel
      id="memory"
      title="Memory"
      note={
        memory
          ? `${text(bytes(memory.available))} available of ${text(bytes(memory.total))}`
          : whyMissing(update, "memory")
      }
      values={<Figure quantity={percent(memory?.percent)} />}
    >
      <Chart
        key={String(hasSwap)}
        title="Memory use"
        lines={hasSwap ? [MEMORY, SWAP] : [MEMORY]}
        format={percent}
        range={wholePercent}
      />
      {memory && <Shares label="Memory by use" shares={shares(memory)} />}
      {memory && <p class="facts">{swap(memory)}</p>}
    </Panel>
  );
}

function shares(memory: Memory): Share[] {
  const { total } = memory;
  if (!total) return [];
  const parts: [string, string, number | null | undefined][] = [
    ["used", "used", memory.used],
    ["cached", "cache and buffers", sum(memory.cached, memory.buffers)],
    ["free", "free", memory.free],
  ];
  return parts.flatMap(([key, label, value]) =>
    value === null || value === undefined
      ? []
      : [{ key, label, percent: (value / total) * 100, text: text(bytes(value)) }],
  );
}

function sum(one: number | null | undefined, other: number | null | undefined): number | null {
  return one === null || one === undefined ? (other ?? null) : one + (other ?? 0);
}

function swap(memory: Memory) {
  if (!memory.swap) return "Swap unknown";
  if (memory.swap.total === 0) return "No swap";
  return (
    <>
      Swap <b>{text(bytes(memory.swap.used))}</b> of {text(bytes(memory.swap.total))} used
    </>
  );
}
