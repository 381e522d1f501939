import { type Message, type Missing, parseMessage } from "./envelope";

/** The messages of `/ws/models` and `/api/models`, as far as the page shows them. */
export interface ModelUpdate extends Message {
  loaded_models?: LoadedModel[] | null;
  installed_models?: InstalledModel[] | null;
  /** GiB; null unless every server answers. */
  memory_usage?: { current_gb?: number | null; vram_gb?: number | null; ram_gb?: number | null } | null;
  hosts?: ModelHost[] | null;
  controls?: { jobs?: Job[] | null } | null;
  missing?: Record<string, Missing>;
}

export interface InstalledModel {
  name: string;
  host?: string | null;
  size?: number | null;
  parameter_size?: string | null;
  /** It runs in the cloud and takes nothing here. */
  remote?: boolean | null;
}

export interface LoadedModel {
  name: string;
  host?: string | null;
  state?: "loaded" | "stopping" | (string & {}) | null;
  /** Bytes in all, on GPUs and in RAM. */
  memory_usage?: number | null;
  memory_vram?: number | null;
  memory_ram?: number | null;
  idle_minutes?: number | null;
  always_loaded?: boolean | null;
  unloads_in_seconds?: number | null;
  parameter_size?: string | null;
  quantization?: string | null;
  context_length?: number | null;
}

export interface ModelHost {
  host: string;
  state: "answering" | "busy" | "away" | (string & {});
  since?: string | null;
  version?: string | null;
  reason?: string | null;
  detail?: string | null;
}

export interface Job {
  id: number;
  host?: string | null;
  model: string;
  action: "load" | "unload" | (string & {});
  state: "queued" | "running" | "done" | "failed" | (string & {});
  position?: number | null;
  seconds?: number | null;
  error?: { message?: string | null; hint?: string | null } | null;
}

export function parseModels(text: string): ModelUpdate | null {
  return parseMessage<ModelUpdate>(text, ["model_update"]);
}
