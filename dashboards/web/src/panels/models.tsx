import schema from "../contract/models.schema.json";
import type {
  InstalledModel,
  Job,
  LoadedModel,
  OllamaHost as ModelHost,
  ModelUpdate,
  OllamaEngine,
} from "../contract/types";
import { activity, age, energy, engineOf, problem, speed } from "../derive/engines";
import { departure, gpuShare, idleness, jobState, onDisk } from "../derive/models";
import { describeReason, reader, reasonFor } from "../feed/envelope";
import type { SystemUpdate } from "../feed/message";
import { bytes, count, percent, text, UNKNOWN } from "../format/format";
import { follow } from "../live";
import { Figure, Panel } from "../ui/panel";
import { Named, Table } from "../ui/table";
import { EmptyPanel } from "./empty";

export const models = follow({ name: "models", parse: reader<ModelUpdate>(schema, ["model_update"]) });

const GiB = 1024 ** 3;

export function ModelsPanel({ update }: { update: SystemUpdate }) {
  const message = models.update.value;
  if (!message) return <EmptyPanel id="models" title="Models" update={update} source="ollama" feed={models} />;
  const loaded = message.loaded_models;
  const vram = message.memory_usage?.vram_gb;
  const unknown = Number.isFinite(vram) ? null : reasonFor(message.missing, "memory_usage.vram_gb");
  return (
    <Panel
      id="models"
      title="Models"
      note={stock(message)}
      feed={models}
      values={
        <>
          <Figure label="loaded" quantity={count(loaded?.length)} />
          <Figure label="VRAM" quantity={bytes(Number.isFinite(vram) ? (vram as number) * GiB : null)} />
        </>
      }
    >
      {loaded && loaded.length > 0 ? <Loaded rows={loaded} message={message} /> : <Nothing message={message} />}
      {unknown && <p class="facts">VRAM of all: {describeReason(unknown.reason, unknown.detail)}</p>}
      <Uncounted message={message} />
      <Engines message={message} />
      <Jobs jobs={message.controls?.jobs ?? []} />
      <Idle message={message} />
      <Hosts hosts={message.hosts ?? []} />
    </Panel>
  );
}

function stock({ installed_models }: ModelUpdate): string {
  const { count: number, bytes: size } = onDisk(installed_models);
  if (number === null) return "Ollama";
  return `${text(count(number))} installed, ${text(bytes(size))} on disk`;
}

function Nothing({ message }: { message: ModelUpdate }) {
  const missing = message.loaded_models ? null : reasonFor(message.missing, "loaded_models");
  return (
    <div class="empty">
      <p>
        {message.loaded_models
          ? "No model is in memory. The first request for one loads it."
          : (describeReason(missing?.reason, missing?.detail) ?? "Nobody says which models are in memory.")}
      </p>
    </div>
  );
}

function Loaded({ rows, message }: { rows: LoadedModel[]; message: ModelUpdate }) {
  return (
    <Table<LoadedModel>
      caption="Models in memory"
      rows={rows}
      rowKey={(model) => `${model.host} ${model.name}`}
      shown={6}
      columns={[
        { title: "In memory", wide: true, cell: (model) => <Model model={model} message={message} /> },
        { title: "Tokens/s", numeric: true, cell: (model) => speed(engineOf(message, model)) },
        { title: "Memory", numeric: true, cell: (model) => text(bytes(model.memory_usage)) },
        { title: "Unloads in", numeric: true, cell: departure },
      ]}
    />
  );
}

/** What is on disk only: neither it nor another name of it is in memory. */
function Idle({ message }: { message: ModelUpdate }) {
  const rows = (message.installed_models ?? []).filter(({ loaded }) => !loaded);
  if (!message.loaded_models || rows.length === 0) return null;
  return (
    <Table<InstalledModel>
      caption="Installed models that are not in memory"
      rows={rows}
      rowKey={(model) => `${model.host} ${model.name}`}
      shown={4}
      columns={[
        { title: "On disk only", wide: true, cell: (model) => <Named name={model.name} /> },
        { title: "Parameters", numeric: true, minor: true, cell: (model) => model.parameter_size ?? UNKNOWN },
        { title: "Size", numeric: true, cell: (model) => (model.remote ? "in the cloud" : text(bytes(model.size))) },
      ]}
    />
  );
}

function Model({ model, message }: { model: LoadedModel; message: ModelUpdate }) {
  const facts = [
    (message.hosts?.length ?? 0) > 1 ? model.host : null,
    [model.parameter_size, model.quantization].filter(Boolean).join(" "),
    Number.isFinite(model.context_length) ? `context ${text(count(model.context_length))}` : null,
    idleness(model),
    ...activity(engineOf(message, model)),
    energy(message, model),
  ].filter(Boolean);
  return (
    <>
      <Named name={model.name} />
      <span class="beneath whole">
        <Split model={model} />
        {facts.map((fact) => ` · ${fact}`)}
      </span>
    </>
  );
}

/** The part on GPUs; what is not there is in RAM and slow, which is worth a colour. */
function Split({ model }: { model: LoadedModel }) {
  const share = gpuShare(model);
  const inRam = Number.isFinite(model.memory_ram) ? text(bytes(model.memory_ram)) : UNKNOWN;
  return (
    <span
      class={share !== null && share < 99.95 ? "warning-text" : ""}
      title={`${text(bytes(model.memory_vram))} on GPUs, ${inRam} in RAM`}
    >
      {text(percent(share))} on GPU
    </span>
  );
}

/** Why no tokens are counted, where engines are seen and could count them. */
function Uncounted({ message }: { message: ModelUpdate }) {
  const why = message.engines?.length ? reasonFor(message.missing, "engine_work[].generated_tokens") : null;
  return why && <p class="facts">Tokens in all: {describeReason(why.reason, why.detail)}</p>;
}

/** The engines that somebody should look at. */
function Engines({ message }: { message: ModelUpdate }) {
  const odd = (message.engines ?? []).filter((engine) => problem(engine) !== null);
  if (odd.length === 0) return null;
  return (
    <ul class="list" aria-label="Engines to look at">
      {odd.map((engine: OllamaEngine) => (
        <li key={engine.pid}>
          <Named name={engine.models?.[0] ?? engine.program} before={<span class="tag critical">{engine.state}</span>}>
            <span class="quiet">
              process {engine.pid} · {text(bytes(engine.memory_bytes))} · for {age(engine, message)}
            </span>
          </Named>
          <span class="reason">{problem(engine)}</span>
        </li>
      ))}
    </ul>
  );
}

function Jobs({ jobs }: { jobs: Job[] }) {
  if (jobs.length === 0) return null;
  return (
    <ul class="list" aria-label="Loading and unloading">
      {jobs.slice(-4).map((job) => (
        <li key={job.id}>
          <Named
            name={job.model}
            before={<span class={`tag ${job.state === "failed" ? "critical" : ""}`}>{job.action}</span>}
          />
          <span class="beneath whole">{jobState(job)}</span>
        </li>
      ))}
    </ul>
  );
}

const MOODS: Record<string, string> = { answering: "fresh", busy: "stale", away: "bad" };

function Hosts({ hosts }: { hosts: ModelHost[] }) {
  return (
    <ul class="list" aria-label="Servers">
      {hosts.map((host) => (
        <li key={host.host}>
          <Named name={host.host} before={<span class={`dot ${MOODS[host.state] ?? ""}`} aria-hidden="true" />}>
            <span class="quiet">
              {host.state}
              {host.version && ` · Ollama ${host.version}`}
            </span>
          </Named>
          {host.reason && <span class="reason">{describeReason(host.reason, host.detail)}</span>}
        </li>
      ))}
    </ul>
  );
}
