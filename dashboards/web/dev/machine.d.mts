/** A made-up machine; each call gives its next message of the feed `system`. */
export function makeMachine(scenario?: string, interval?: number): (at?: number) => unknown;
