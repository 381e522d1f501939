/** The agent's routes over a made-up machine and its services. */
export function makeRoutes(
  scenario?: string,
  interval?: number,
  historySeconds?: number,
): {
  messages: Record<"system" | "models" | "database" | "governance", unknown>;
  next(): void;
  answer(url: URL): [number, unknown];
};
