/** The agent's routes over a made-up machine and its services. */
export function makeRoutes(
  scenario?: string,
  interval?: number,
  historySeconds?: number,
): {
  messages: Record<string, unknown>;
  next(): void;
  answer(url: URL): [number, unknown];
};
