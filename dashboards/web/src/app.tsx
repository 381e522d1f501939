import type { Platform } from "./contract/types";
import { type SystemUpdate, whyMissing } from "./feed/message";
import { duration } from "./format/format";
import { PANELS } from "./panels/all";
import { healthOf } from "./panels/empty";
import { SourcesPanel } from "./panels/sources";
import { Alerts } from "./shell/alerts";
import { Header } from "./shell/header";
import { ageText, status } from "./shell/status";
import { stale, update } from "./store";
import { Contained } from "./ui/panel";

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
  const present = PANELS.filter((panel) => panel.present(update));
  const others = PANELS.filter((panel) => !present.includes(panel));
  // What explains why it is empty comes after what has something to show.
  const empty = others.filter(({ source }) => source && healthOf(update, source));
  const absent = others.flatMap(({ title, path }) => (path ? [{ title, reason: whyMissing(update, path) }] : []));
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
        {[...present, ...empty].map(({ View, title }) => (
          <Contained key={title} title={title}>
            <View update={update} />
          </Contained>
        ))}
        <SourcesPanel key="Sources" update={update} absent={absent} />
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
