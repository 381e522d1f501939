import type {
  LogView as AuditLog,
  RoleDraft as Draft,
  GovernanceUpdate,
  RoleView as Role,
  RolesView as Roles,
  SpikeView as Watched,
} from "../contract/types";

/** How many roles are trusted how far, on one scale. */
export interface Scale {
  title: string;
  levels: { level: number | null; word: string | null; count: number }[];
}

const SCALES: Record<string, string> = {
  priority_1_10: "priority, 1 to 10",
  taxonomy_0_5: "trust level, 0 to 5",
};

/** The roles by trust, the most trusted first. Two scales have nothing in common, so each is counted for itself. */
export function byTrust(roles: Role[]): Scale[] {
  const scales = new Map<string, Map<number | null, { word: string | null; count: number }>>();
  for (const { trust_scale, trust_level, trust_word } of roles) {
    const scale = trust_scale ?? "";
    const level = Number.isFinite(trust_level) ? (trust_level as number) : null;
    const levels = scales.get(scale) ?? new Map();
    const before = levels.get(level);
    levels.set(level, { word: before?.word ?? trust_word ?? null, count: (before?.count ?? 0) + 1 });
    scales.set(scale, levels);
  }
  return [...scales].map(([scale, levels]) => ({
    title: SCALES[scale] ?? (scale.replaceAll("_", " ") || "of an unnamed scale"),
    levels: [...levels]
      .map(([level, { word, count }]) => ({ level, word, count }))
      .sort((one, other) => (other.level ?? -1) - (one.level ?? -1)),
  }));
}

/** Drafts that wait for a decision, the oldest first; those without a date last. */
export function waiting({ installations }: Roles): (Draft & { installation: string })[] {
  return (installations ?? [])
    .flatMap(({ name, drafts }) => (drafts ?? []).map((draft) => ({ ...draft, installation: name })))
    .filter(({ pending }) => pending)
    .sort((one, other) => (one.created ?? Number.MAX_VALUE) - (other.created ?? Number.MAX_VALUE));
}

/** Drafts that wait in all installations; null when one does not say. */
export function pendingCount({ installations }: Roles): number | null {
  const counts = (installations ?? []).map(({ drafts_pending }) => drafts_pending);
  return counts.every((count) => Number.isFinite(count))
    ? counts.reduce<number>((sum, one) => sum + (one ?? 0), 0)
    : null;
}

/** The kinds that are watched for spikes in all logs, the fullest first. */
export function watchedKinds(logs: AuditLog[] | null | undefined): (Watched & { log: string })[] {
  const fullness = ({ count, limit }: Watched) => (count ?? 0) / Math.max(1, limit ?? 1);
  return (logs ?? [])
    .flatMap(({ name, watched }) => (watched ?? []).map((kind) => ({ ...kind, log: name })))
    .sort((one, other) => fullness(other) - fullness(one) || one.kind.localeCompare(other.kind));
}

/** What does not work as it should with the logs, in sentences. */
export function auditProblems(audit: GovernanceUpdate["audit"]): string[] {
  const unreadable = (audit?.logs ?? [])
    .filter(({ state }) => state === "unreadable")
    .map(({ name, missing }) => `${name}: ${missing?.detail ?? "unreadable"}`);
  return [...unreadable, ...(audit?.problems ?? [])];
}

/** An event's identity: where it stands. */
export function placeOf(event: NonNullable<GovernanceUpdate["audit_logs"]>[number], index: number): string {
  const { file, log, offset } = event.source ?? {};
  return Number.isFinite(offset) ? `${file ?? log} ${offset}` : `row ${index}`;
}
