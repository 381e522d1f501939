/** What the reader chose, kept in this browser. Storage may be forbidden; the choice then lasts as long as the page. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`aura.${name}`, value);
  } catch {
    // Nothing to do: see above.
  }
}

/** The kept choice, if it is still one of those allowed. */
export function recall<T extends string>(name: string, allowed: readonly T[]): T | null {
  try {
    const value = localStorage.getItem(`aura.${name}`);
    return allowed.find((choice) => choice === value) ?? null;
  } catch {
    return null;
  }
}
