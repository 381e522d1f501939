// Generated from docs/api.models.schema.json: npm run contract.

/**
 * Why a value is not there, as a code that programs can act on.
 */
export type Reason =
  | "no_sensor"
  | "not_configured"
  | "unreachable"
  | "no_table"
  | "no_permission"
  | "stale"
  | "unreadable"
  | (string & {});

/**
 * One message.
 */
export interface ModelUpdate {
  /**
   * Names of the models on disk of the hosts that answer.
   */
  available_models: string[] | null;
  controls: Controls;
  /**
   * The servers.
   */
  hosts: Host[];
  /**
   * The same with all that is known of them.
   */
  installed_models: Installed[] | null;
  /**
   * From one sample to the next, in seconds.
   */
  interval_seconds: number;
  /**
   * Models in memory of the hosts that answer; `null` when none does.
   */
  loaded_models: Loaded[] | null;
  memory_usage: MemoryUsage;
  /**
   * Why what is `null` is missing, by its path.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * Which model a gateway takes for which mode; none is read here.
   */
  mode_mappings: {
    [k: string]: string;
  } | null;
  /**
   * The leaderboard's rows; none are read here.
   */
  model_stats: string[] | null;
  /**
   * When Ollama was asked, RFC 3339; `null` while it is not watched.
   */
  sampled_at: string | null;
  /**
   * One more with each message since the agent started.
   */
  seq: number;
  /**
   * The same as `sampled_at`; when the message was made, while Ollama is not watched.
   */
  timestamp: string;
  /**
   * Always `model_update`.
   */
  type: string;
}
/**
 * Loading and unloading through the agent.
 */
export interface Controls {
  /**
   * Whether those who may can load and unload.
   */
  enabled: boolean;
  /**
   * What was asked for: waiting, running, and for five minutes what is finished.
   */
  jobs: Job[];
}
/**
 * A load or unload.
 */
export interface Job {
  /**
   * `load` or `unload`.
   */
  action: string;
  /**
   * What went wrong.
   */
  error: JobError | null;
  /**
   * The server.
   */
  host: string;
  /**
   * Its number.
   */
  id: number;
  /**
   * The model.
   */
  model: string;
  /**
   * How many come before it on its server.
   */
  position: number | null;
  /**
   * When it was asked for, RFC 3339.
   */
  requested_at: string;
  /**
   * How long it has been running, or ran.
   */
  seconds: number | null;
  /**
   * `queued`, `running`, `done` or `failed`.
   */
  state: string;
}
/**
 * Why a job failed.
 */
export interface JobError {
  /**
   * For programs.
   */
  code: string;
  /**
   * What to try.
   */
  hint: string;
  /**
   * For people; Ollama's own words where it gave some.
   */
  message: string;
}
/**
 * A server.
 */
export interface Host {
  /**
   * When it last answered in full, RFC 3339.
   */
  answered_at: string | null;
  /**
   * Why it does not answer, as a sentence.
   */
  detail: string | null;
  /**
   * `HOST:PORT`.
   */
  host: string;
  /**
   * Models on its disk.
   */
  models_installed: number | null;
  /**
   * Models in its memory.
   */
  models_loaded: number | null;
  /**
   * Why it does not answer, as a code.
   */
  reason: string | null;
  /**
   * Since when, RFC 3339.
   */
  since: string;
  /**
   * `answering`, `busy` (it listens and keeps silent) or `away`.
   */
  state: string;
  /**
   * Its URL.
   */
  url: string;
  /**
   * Its version.
   */
  version: string | null;
}
/**
 * A model on disk.
 */
export interface Installed {
  /**
   * What it can do.
   */
  capabilities: string[] | null;
  /**
   * The longest context it was made for, in tokens.
   */
  context_length: number | null;
  /**
   * Identity of this version of it.
   */
  digest: string;
  /**
   * Architecture.
   */
  family: string | null;
  /**
   * File format.
   */
  format: string | null;
  /**
   * The server it is on.
   */
  host: string;
  /**
   * Whether this version of it is in memory, under whichever of its names.
   */
  loaded: boolean;
  /**
   * When it was pulled or made.
   */
  modified_at: string | null;
  /**
   * Its name with its tag.
   */
  name: string;
  /**
   * Number of parameters.
   */
  parameter_count: number | null;
  /**
   * As in `7.6B`.
   */
  parameter_size: string | null;
  /**
   * As in `Q4_K_M`.
   */
  quantization: string | null;
  /**
   * A model in the cloud, which is never loaded here.
   */
  remote: boolean;
  /**
   * Bytes on disk.
   */
  size: number | null;
}
/**
 * A model in memory.
 */
export interface Loaded {
  /**
   * It stays until somebody unloads it or it has to make room.
   */
  always_loaded: boolean;
  /**
   * Allocated context in tokens.
   */
  context_length: number | null;
  /**
   * Identity of this version of it.
   */
  digest: string;
  /**
   * When it is unloaded unless it is used, as Ollama writes it.
   */
  expires_at: string | null;
  /**
   * Architecture.
   */
  family: string | null;
  /**
   * What its process takes of each GPU, as the GPU's driver tells; `null` when no process is known to be its.
   */
  gpu_memory: GpuMemory[] | null;
  /**
   * The server it is on.
   */
  host: string;
  /**
   * Since then, in minutes.
   */
  idle_minutes: number | null;
  /**
   * When it was last seen to finish a request, RFC 3339; `null` when it was not.
   */
  last_used: string | null;
  /**
   * When it was first seen in memory, RFC 3339; `null` when it was there before the agent.
   */
  loaded_at: string | null;
  /**
   * Bytes of them in RAM.
   */
  memory_ram: number | null;
  /**
   * Bytes of memory in all.
   */
  memory_usage: number | null;
  /**
   * Bytes of them on GPUs.
   */
  memory_vram: number | null;
  /**
   * Its name with its tag.
   */
  name: string;
  /**
   * As in `7.6B`.
   */
  parameter_size: string | null;
  /**
   * As in `Q4_K_M`.
   */
  quantization: string | null;
  /**
   * `loaded`, or `stopping` when its time is over and it still finishes a request.
   */
  state: string;
  /**
   * Until then; `null` when it stays.
   */
  unloads_in_seconds: number | null;
}
/**
 * What a process that runs a model takes of a GPU.
 */
export interface GpuMemory {
  /**
   * Bytes; `null` when the driver does not tell.
   */
  bytes: number | null;
  /**
   * The GPU's number.
   */
  gpu: number;
  /**
   * The process.
   */
  pid: number;
  /**
   * Its unique number.
   */
  uuid: string;
}
/**
 * Memory of all loaded models, in GiB.
 */
export interface MemoryUsage {
  /**
   * In all; `null` unless every host answers.
   */
  current_gb: number | null;
  /**
   * How much there may be; Ollama does not say.
   */
  max_gb: number | null;
  /**
   * In RAM.
   */
  ram_gb: number | null;
  /**
   * On GPUs.
   */
  vram_gb: number | null;
}
/**
 * A value that is not there: the code for programs, the sentence for people.
 */
export interface Missing {
  /**
   * What was tried and what would help; names the file, view or address.
   */
  detail: string;
  reason: Reason;
}
