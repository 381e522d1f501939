import { whyMissing, type Platform, type SystemUpdate } from "./feed/message";
import { duration } from "./format/format";
import { CpuPanel } from "./panels/cpu";
import { DiskPanel } from "./panels/disk";
import { FilesystemsPanel } from "./panels/filesystems";
import { MemoryPanel } from "./panels/memory";
import { NetworkPanel } from "./panels/network";
import { PressurePanel } from "./panels/pressure";
import { ProcessesPanel } from "./panels/processes";
import { SourcesPanel } from "./panels/sources";
import { TemperaturePanel } from "./panels/temperature";
import { Alerts } from "./shell/alerts";
import { Header } from "./shell/header";
import { ageText, status } from "./shell/status";
import { stale, update } from "./store";

export function App() {
  const newest = update.value;
  return (
    <>
      <a class="skip" href="#readings">
        Skip to the readings
      </a>
      <Header />
      <main id="readings" tabIndex={-1} class={stale.value ? "stale" : ""}>
        {newest ? <Overview update={newest} /> : <Waiting />}
      </main>
    </>
  );
}

function Overview({ update }: { update: SystemUpdate }) {
  return (
    <>
      <Machine update={update} />
      {stale.value && (
        <p class="banner">
          <b>{status.value.sentence}</b> These numbers are {ageText.value}.
        </p>
      )}
      <Alerts alerts={update.alerts ?? []} />
      <div class="grid">
        <CpuPanel update={update} />
        <MemoryPanel update={update} />
        <PressurePanel update={update} />
        <NetworkPanel update={update} />
        <DiskPanel update={update} />
        <TemperaturePanel update={update} />
        <ProcessesPanel update={update} />
        <FilesystemsPanel update={update} />
        <SourcesPanel update={update} />
      </div>
    </>
  );
}

function Machine({ update }: { update: SystemUpdate }) {
  const platform = update.metrics.platform;
  if (!platform) return <p class="machine">{whyMissing(update, "platform")}</p>;
  return (
    <dl class="machine">
      {facts(platform).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function facts(platform: Platform): [name: string, value: string][] {
  const known: [string, string | null | undefined][] = [
    ["System", platform.distribution ?? platform.system],
    ["Kernel", platform.release],
    ["Processor", platform.processor ?? platform.machine],
    ["Up", Number.isFinite(platform.uptime_seconds) ? duration(platform.uptime_seconds) : null],
  ];
  return known.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

function Waiting() {
  return (
    <div class="waiting">
      <p>{status.value.sentence}</p>
    </div>
  );
}
