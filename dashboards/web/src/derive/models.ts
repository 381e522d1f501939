import type { Job, LoadedModel, ModelUpdate } from "../contract/types";
import { duration, UNKNOWN } from "../format/format";
import { shareOf } from "./gpu";

/** When a model leaves the memory. */
export function departure(model: LoadedModel): string {
  if (model.state === "stopping" || model.state === "crashed") return model.state;
  const left = model.always_loaded ? "stays" : duration(model.unloads_in_seconds);
  const version = VERSIONS[model.version ?? ""];
  return version ? `${version}, ${left}` : left;
}

/** What is no longer on disk under its name, and so cannot be unloaded. */
const VERSIONS: Record<string, string> = { older: "older version", deleted: "deleted" };

/** How long nobody has used a model, in words; null when nobody knows. */
export function idleness({ idle_minutes: minutes }: LoadedModel): string | null {
  if (!Number.isFinite(minutes)) return null;
  return (minutes as number) * 60 < 1 ? "just used" : `idle ${duration((minutes as number) * 60)}`;
}

/** How much of a model is on GPUs, in percent. */
export function gpuShare({ memory_vram, memory_usage }: LoadedModel): number | null {
  return shareOf(memory_vram, memory_usage);
}

/** What lies on the disks of the servers that answer; the bytes are null when they are not all known. */
export function onDisk(installed: ModelUpdate["installed_models"]): { count: number | null; bytes: number | null } {
  if (!installed) return { count: null, bytes: null };
  const local = installed.filter(({ remote }) => !remote);
  const all = local.every(({ size }) => Number.isFinite(size));
  return { count: local.length, bytes: all ? local.reduce((sum, { size }) => sum + (size as number), 0) : null };
}

/** What becomes of what was asked for, in words. */
export function jobState(job: Job): string {
  const doing = job.action === "unload" ? "unloading" : "loading";
  switch (job.state) {
    case "queued":
      return job.position ? `waits, ${job.position} before it` : "next";
    case "running":
      return `${doing}${Number.isFinite(job.seconds) ? ` for ${duration(job.seconds)}` : ""}`;
    case "done":
      return [
        `${doing === "loading" ? "loaded" : "unloaded"}${Number.isFinite(job.seconds) ? ` in ${duration(job.seconds)}` : ""}`,
        job.note,
      ]
        .filter(Boolean)
        .join("; ");
    case "failed":
      return failure(job) || "failed";
    default:
      return job.state || UNKNOWN;
  }
}

/** What went wrong and what would help, in one sentence or two. */
function failure({ error }: Job): string {
  const { message, hint } = error ?? {};
  return [message, hint].filter(Boolean).join(message && /[.!?]$/.test(message) ? " " : "; ");
}
