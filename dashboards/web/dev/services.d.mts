/** The made-up machine's other sources; each call gives the next message of each feed, by its name, and null for a feed without one. */
export function makeServices(scenario?: string, interval?: number): () => Record<string, { type: string } | null>;
