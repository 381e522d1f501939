import { type Platform, type SystemUpdate, whyMissing } from "./feed/message";
import { duration } from "./format/format";
import { PANELS } from "./panels/all";
import { SourcesPanel } from "./panels/sources";
import { Alerts } from "./shell/alerts";
import { Header } from "./shell/header";
import { ageText, status } from "./shell/status";
import { drawn, stale, update } from "./store";

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
  // A block that went missing a moment ago keeps its panel, where the chart shows since when; one that never was is only named.
  const absent = PANELS.filter((panel) => !panel.read(update.metrics) && !drawn(panel.series));
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
        {PANELS.filter((panel) => !absent.includes(panel)).map(({ View, title }) => (
          <View key={title} update={update} />
        ))}
        <SourcesPanel
          update={update}
          absent={absent.map(({ title, path }) => ({ title, reason: whyMissing(update, path) }))}
        />
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
